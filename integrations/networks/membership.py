"""Security groups of a server's ports: their names, and putting all ports of one server in or out of a group."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from integrations.networks.groups import put_ports_in
from integrations.networks.models import Port, PortSecurityGroup, SecurityGroup, SecurityGroupRule
from integrations.networks.plans import group_ids
from integrations.networks.values import GroupInfo, RuleInfo

RULE_COLUMNS = (
    "id", "group_id", "direction", "ethertype", "protocol", "port_range_min", "port_range_max", "remote_ip_prefix",
    "remote_group_id",
)  # fmt: skip


def group_names(ids: Iterable[str]) -> dict[str, str]:
    """Names by id; ids without a group are left out. One query."""
    return dict(SecurityGroup.objects.filter(id__in=set(ids)).values_list("id", "name"))


def join_group(server_id: str, project_id: str, name: str) -> bool:
    """Put every port of the server into a group, by name or id. False when the server has no port that can be in one.

    In the caller's transaction. Raises RequestedGroupNotFound, RequestedGroupAmbiguous.
    """
    group_id = group_ids(project_id, [name])[0]
    ports = Port.objects.filter(server_id=server_id, port_security_enabled=True).values_list("id", flat=True)
    inside = set(
        PortSecurityGroup.objects.filter(port__server_id=server_id, group_id=group_id).values_list("port_id", flat=True)
    )
    found = list(ports)
    put_ports_in((port_id, group_id) for port_id in found if port_id not in inside)
    return bool(found)


def leave_group(server_id: str, project_id: str, name: str) -> bool:
    """Take every port of the server out of a group, by name or id. False when no port was in it.

    In the caller's transaction. Raises RequestedGroupNotFound, RequestedGroupAmbiguous.
    """
    group_id = group_ids(project_id, [name])[0]
    gone, _ = PortSecurityGroup.objects.filter(port__server_id=server_id, group_id=group_id).delete()
    return bool(gone)


def groups_of_server(server_id: str) -> list[GroupInfo]:
    """The groups that the server's ports are in, with their rules, sorted by name; two queries."""
    ids = PortSecurityGroup.objects.filter(port__server_id=server_id).values("group_id")
    rows = SecurityGroup.objects.filter(id__in=ids).order_by("name", "id")
    groups = list(rows.values_list("id", "name", "description", "project_id"))
    rules: dict[str, list[RuleInfo]] = defaultdict(list)
    for row in SecurityGroupRule.objects.filter(group_id__in=[group[0] for group in groups]).values_list(*RULE_COLUMNS):
        rules[row[1]].append(RuleInfo(*row))
    return [GroupInfo(*group, rules=tuple(rules[group[0]])) for group in groups]
