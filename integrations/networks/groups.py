"""Security groups: the default one, creation, deletion, and which groups a port gets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q

from computecloud.core.actor import Actor
from computecloud.core.clock import utcnow
from integrations.networks import quotas, rules
from integrations.networks.errors import (
    SecurityGroupCannotRemoveDefault,
    SecurityGroupCannotUpdateDefault,
    SecurityGroupDefaultAlreadyExists,
    SecurityGroupInUse,
    SecurityGroupNotFound,
    SecurityGroupRuleExists,
)
from integrations.networks.models import PortSecurityGroup, SecurityGroup, SecurityGroupRule, Tag
from integrations.networks.models.security_group import DEFAULT
from integrations.networks.rules import ETHERTYPES


def ensure_default(project_id: str) -> None:
    """Make the project's ``default`` group when it is missing; a write transaction begins only then."""
    if not SecurityGroup.objects.filter(project_id=project_id, name=DEFAULT).exists():
        with transaction.atomic():
            default_group_id(project_id)


def default_group_id(project_id: str) -> str:
    """The id of the project's ``default`` group, made on first use. Callers are in a transaction."""
    found = SecurityGroup.objects.filter(project_id=project_id, name=DEFAULT).values_list("id", flat=True).first()
    return found or _make_default(project_id)


@transaction.atomic
def _make_default(project_id: str) -> str:
    try:
        with transaction.atomic():
            group = SecurityGroup.objects.create(
                project_id=project_id, name=DEFAULT, description="Default security group"
            )
    except IntegrityError:  # another request was faster
        return SecurityGroup.objects.values_list("id", flat=True).get(project_id=project_id, name=DEFAULT)
    first = _first_rules(group, trusts_itself=True)
    SecurityGroupRule.objects.bulk_create(first)
    quotas.take_always(project_id, "security_group")
    quotas.take_always(project_id, "security_group_rule", len(first))
    return group.id


def _first_rules(group: SecurityGroup, *, trusts_itself: bool) -> list[SecurityGroupRule]:
    """Everything may go out; into the default group, its own members may come in."""
    first = [SecurityGroupRule(direction="egress", ethertype=ethertype) for ethertype in ETHERTYPES]
    if trusts_itself:
        first += [
            SecurityGroupRule(direction="ingress", ethertype=ethertype, remote_group=group) for ethertype in ETHERTYPES
        ]
    for rule in first:
        rule.group, rule.project_id = group, group.project_id
        rule.fingerprint = rules.fingerprint(rule)
    return first


def create(project_id: str, name: str, description: str) -> SecurityGroup:
    """A new group, with the two rules that let everything out. Raises OverQuota, SecurityGroupDefaultAlreadyExists."""
    if name == DEFAULT:
        raise SecurityGroupDefaultAlreadyExists
    default_group_id(project_id)
    quotas.take(project_id, "security_group")
    group = SecurityGroup.objects.create(project_id=project_id, name=name, description=description)
    first = _first_rules(group, trusts_itself=False)
    quotas.take(project_id, "security_group_rule", len(first))
    SecurityGroupRule.objects.bulk_create(first)
    return group


def update(group: SecurityGroup, changes: dict[str, str]) -> None:
    """Change name and description. The default group keeps its name."""
    name = changes.get("name", group.name)
    if group.name == DEFAULT and name != DEFAULT:
        raise SecurityGroupCannotUpdateDefault
    if group.name != DEFAULT and name == DEFAULT:
        raise SecurityGroupDefaultAlreadyExists
    SecurityGroup.objects.filter(id=group.id).update(**changes, updated_at=utcnow(), revision=F("revision") + 1)
    group.refresh_from_db()


def delete(actor: Actor, group: SecurityGroup) -> None:
    """Remove a group, its rules, and the rules of others that trust it. Raises SecurityGroupInUse."""
    if group.name == DEFAULT and not actor.is_admin:
        raise SecurityGroupCannotRemoveDefault
    if PortSecurityGroup.objects.filter(group_id=group.id).exists():
        raise SecurityGroupInUse(id=group.id)
    gone = SecurityGroupRule.objects.filter(Q(group_id=group.id) | Q(remote_group_id=group.id))
    owners = list(gone.values_list("project_id", flat=True))
    gone.delete()
    for project_id in sorted(set(owners)):
        quotas.give_back(project_id, "security_group_rule", owners.count(project_id))
    Tag.objects.filter(kind="security-groups", resource_id=group.id).delete()
    try:
        with transaction.atomic():
            SecurityGroup.objects.filter(id=group.id).delete()
    except IntegrityError:  # a port joined it in between
        raise SecurityGroupInUse(id=group.id) from None
    quotas.give_back(group.project_id, "security_group")


def for_port(actor: Actor, project_id: str, ids: Sequence[str]) -> list[str]:
    """The groups a port of the project may be in, each once, in the order given. Raises SecurityGroupNotFound."""
    wanted = list(dict.fromkeys(ids))
    rows = SecurityGroup.objects.for_actor(actor).filter(id__in=wanted)
    known = set(rows.filter(project_id=project_id).values_list("id", flat=True))
    for group_id in wanted:
        if group_id not in known:
            raise SecurityGroupNotFound(id=group_id)
    return wanted


def put_ports_in(links: Iterable[tuple[str, str]]) -> None:
    """Record (port id, group id) pairs."""
    PortSecurityGroup.objects.bulk_create(
        [PortSecurityGroup(port_id=port_id, group_id=group_id) for port_id, group_id in links]
    )


def add_rule(actor: Actor, wanted: dict[str, Any]) -> SecurityGroupRule:
    """A rule from a request body whose types are right.

    Raises SecurityGroupNotFound, SecurityGroupRuleExists, OverQuota and what ``rules.parse`` raises.
    """
    group = _own_group(actor, wanted["security_group_id"])
    text = rules.parse(wanted)
    if text.remote_group_id is not None:
        _own_group(actor, text.remote_group_id)
    row = SecurityGroupRule(group=group, project_id=group.project_id, **asdict(text))
    row.fingerprint = rules.fingerprint(row)
    quotas.take(group.project_id, "security_group_rule")
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        same = SecurityGroupRule.objects.filter(group_id=group.id, fingerprint=row.fingerprint)
        raise SecurityGroupRuleExists(rule_id=same.values_list("id", flat=True).first()) from None
    return row


def _own_group(actor: Actor, group_id: str) -> SecurityGroup:
    found = SecurityGroup.objects.for_actor(actor).filter(id=group_id).first()
    if found is None:
        raise SecurityGroupNotFound(id=group_id)
    return found


def delete_rule(rule: SecurityGroupRule) -> None:
    """Remove one rule."""
    SecurityGroupRule.objects.filter(id=rule.id).delete()
    quotas.give_back(rule.project_id, "security_group_rule")
