"""Networks and security groups for the Compute API's old proxies (``os-networks``, ``os-security-groups``).

The same rows, rights and refusals as in the Network API.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from computecloud.core.actor import Actor
from integrations.networks import groups
from integrations.networks.errors import NetworkNotFound, SecurityGroupNotFound, SecurityGroupRuleNotFound
from integrations.networks.membership import RULE_COLUMNS
from integrations.networks.models import Network, SecurityGroup, SecurityGroupRule, Subnet
from integrations.networks.models.network import NetworkQuerySet
from integrations.networks.values import GroupInfo, NetworkInfo, RuleInfo

MOST = 1000


def networks_of(actor: Actor) -> list[NetworkInfo]:
    """The networks that the actor's project may use; two queries."""
    return _networks(
        Network.objects.for_actor(actor) if actor.is_admin else Network.objects.visible_to(actor.project_id)
    )


def network(actor: Actor, network_id: str) -> NetworkInfo:
    """Raises NetworkNotFound."""
    found = _networks(Network.objects.for_actor(actor).filter(id=network_id))
    if not found:
        raise NetworkNotFound(net_id=network_id[:64])
    return found[0]


def _networks(rows: NetworkQuerySet) -> list[NetworkInfo]:
    rows = rows.order_by("created_at", "id")
    found = list(rows.values_list("id", "name", "project_id", "shared", "is_external", "mtu")[:MOST])
    inside: dict[str, list[str]] = defaultdict(list)
    subnets = Subnet.objects.filter(network_id__in=[row[0] for row in found])
    for network_id, subnet_id in subnets.values_list("network_id", "id"):
        inside[network_id].append(subnet_id)
    return [NetworkInfo(*row, tuple(inside[row[0]])) for row in found]


def security_groups(actor: Actor, *, all_projects: bool = False) -> list[GroupInfo]:
    """The groups of the actor's project, its default group made when missing; of all projects for an administrator."""
    if actor.project_id:
        groups.ensure_default(actor.project_id)
    if all_projects and actor.is_admin:
        return _groups(SecurityGroup.objects.all())
    return _groups(SecurityGroup.objects.owned_by(actor.project_id))


def security_group(actor: Actor, group_id: str) -> GroupInfo:
    """Raises SecurityGroupNotFound."""
    found = _groups(SecurityGroup.objects.for_actor(actor).filter(id=group_id))
    if not found:
        raise SecurityGroupNotFound(id=group_id[:64])
    return found[0]


def groups_by_id(ids: Sequence[str]) -> dict[str, GroupInfo]:
    """Groups that rules name; ids without a group are left out."""
    return {group.id: group for group in _groups(SecurityGroup.objects.filter(id__in=ids))}


def _groups(rows: QuerySet[SecurityGroup]) -> list[GroupInfo]:
    found = list(rows.order_by("created_at", "id").values_list("id", "name", "description", "project_id")[:MOST])
    rules: dict[str, list[RuleInfo]] = defaultdict(list)
    inside = SecurityGroupRule.objects.filter(group_id__in=[row[0] for row in found])
    for row in inside.values_list(*RULE_COLUMNS):
        rules[row[1]].append(RuleInfo(*row))
    return [GroupInfo(*group, tuple(rules[group[0]])) for group in found]


def _row(actor: Actor, group_id: str) -> SecurityGroup:
    found = SecurityGroup.objects.for_actor(actor).filter(id=group_id).first()
    if found is None:
        raise SecurityGroupNotFound(id=group_id[:64])
    return found


@transaction.atomic
def create_security_group(actor: Actor, name: str, description: str) -> GroupInfo:
    """Raises OverQuota, SecurityGroupDefaultAlreadyExists."""
    return security_group(actor, groups.create(actor.project_id or "", name, description).id)


@transaction.atomic
def update_security_group(actor: Actor, group_id: str, name: str, description: str) -> GroupInfo:
    """Raises SecurityGroupNotFound, SecurityGroupCannotUpdateDefault, SecurityGroupDefaultAlreadyExists."""
    groups.update(_row(actor, group_id), {"name": name, "description": description})
    return security_group(actor, group_id)


@transaction.atomic
def delete_security_group(actor: Actor, group_id: str) -> None:
    """Raises SecurityGroupNotFound, SecurityGroupInUse, SecurityGroupCannotRemoveDefault."""
    groups.delete(actor, _row(actor, group_id))


@transaction.atomic
def add_security_group_rule(actor: Actor, group_id: str, **wanted: Any) -> RuleInfo:
    """A rule from ``direction``, ``ethertype``, ``protocol``, ``port_range_min``, ``port_range_max``,
    ``remote_ip_prefix``, ``remote_group_id``.

    Raises SecurityGroupNotFound, SecurityGroupRuleExists, OverQuota and the errors of malformed rules.
    """
    row = groups.add_rule(actor, {"security_group_id": group_id, **wanted})
    return RuleInfo(*SecurityGroupRule.objects.values_list(*RULE_COLUMNS).get(id=row.id))


@transaction.atomic
def delete_security_group_rule(actor: Actor, rule_id: str) -> None:
    """Raises SecurityGroupRuleNotFound."""
    row = SecurityGroupRule.objects.for_actor(actor).filter(id=rule_id).first()
    if row is None:
        raise SecurityGroupRuleNotFound(id=rule_id[:64])
    groups.delete_rule(row)
