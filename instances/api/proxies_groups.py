"""``/os-security-groups`` and ``/os-security-group-rules``: forwarded to the Network service, up to 2.35."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from django.http import HttpResponse

from computecloud.core.errors import Conflict, Forbidden, Invalid
from computecloud.core.ids import is_uuid
from computecloud.http.answers import answer, empty
from computecloud.http.microversions import available
from computecloud.http.pagination import limit_of
from computecloud.http.views import ServiceViewSet, accepts, query
from instances.api.queries import Params, last
from instances.api.schemas.proxies import GROUP, GROUP_QUERY, RULE
from instances.api.server_networks import group_shown
from integrations.networks import facade as networks
from integrations.networks.facade import GroupInfo, RuleInfo

EVERY_PORT = (1, 65535)
WITH_PORTS = ("tcp", "udp")


@contextmanager
def in_novas_words() -> Iterator[None]:
    """Where Neutron says 409, Nova said 400; where it counts a quota, Nova said 403."""
    try:
        yield
    except networks.OverQuota as problem:
        raise Forbidden(str(problem)) from None
    except Conflict as problem:
        raise Invalid(str(problem)) from None


def checked_id(text: str) -> str:
    """Raises Invalid for what is no UUID."""
    if not is_uuid(text):
        raise Invalid("Security group id should be uuid")
    return text


def shown(groups: Iterable[GroupInfo]) -> list[dict[str, Any]]:
    """Groups in Nova's old form, with the names of the groups that their rules trust."""
    found = list(groups)
    known = {group.id: group for group in found}
    named = {rule.remote_group_id for group in found for rule in group.rules if rule.remote_group_id} - known.keys()
    known |= networks.groups_by_id(sorted(named)) if named else {}
    return [group_shown(group, known) for group in found]


def rule_shown(group: GroupInfo, rule: RuleInfo) -> dict[str, Any]:
    """One rule in Nova's old form."""
    found: dict[str, Any] = shown([replace(group, rules=(rule,))])[0]["rules"][0]
    return found


def _ports(wanted: dict[str, Any], protocol: str) -> tuple[int, int] | None:
    """The pair of ports, or of ICMP type and code; None when a part is missing. Raises Invalid."""
    first, final = wanted.get("from_port"), wanted.get("to_port")
    if first is None and final is None and wanted.get("group_id"):
        return EVERY_PORT if protocol in WITH_PORTS else (-1, -1)
    if first is None or final is None:
        return None
    try:
        first, final = int(first), int(final)
    except ValueError:
        raise Invalid("To and From ports must be integers") from None
    if protocol in WITH_PORTS and not 1 <= first <= final <= EVERY_PORT[1]:
        raise Invalid(f"Invalid port range {first}:{final}. Valid {protocol.upper()} ports are between 1-65535")
    if protocol == "icmp" and not (-1 <= first <= 255 and -1 <= final <= 255):
        raise Invalid(f"Invalid port range {first}:{final}. For ICMP, the type:code must be valid")
    return first, final


def to_rule(wanted: dict[str, Any]) -> dict[str, Any]:
    """A valid body as the Network service words a rule: incoming only. Raises Invalid."""
    group_id = wanted.get("group_id")
    cidr = None if group_id else wanted.get("cidr") or "0.0.0.0/0"
    rule: dict[str, Any] = {
        "direction": "ingress",
        "ethertype": "IPv6" if cidr and ":" in cidr else "IPv4",
        "remote_ip_prefix": cidr,
        "remote_group_id": group_id,
    }
    protocol = str(wanted.get("ip_protocol") or "").lower()
    ports = _ports(wanted, protocol) if protocol else None
    if ports is None:
        if group_id:
            return rule
        raise Invalid("Not enough parameters to build a valid rule.")
    if protocol not in (*WITH_PORTS, "icmp"):
        raise Invalid(f"Invalid IP protocol {protocol[:100]}")
    first, final = (None if port == -1 else port for port in ports)
    return rule | {"protocol": protocol, "port_range_min": first, "port_range_max": final}


class SecurityGroupViewSet(ServiceViewSet):
    """Security groups of the project."""

    service = "compute"
    policy = {
        "list": "os_compute_api:os-security-groups:get",
        "retrieve": "os_compute_api:os-security-groups:show",
        "create": "os_compute_api:os-security-groups:create",
        "update": "os_compute_api:os-security-groups:update",
        "destroy": "os_compute_api:os-security-groups:delete",
    }

    @available(until="2.35")
    @query(GROUP_QUERY)
    def list(self, request: Any, params: Params) -> HttpResponse:
        groups = networks.security_groups(self.actor, all_projects="all_tenants" in params)
        groups.sort(key=lambda group: (group.project_id, group.name))
        offset = int(last(params, "offset") or 0)
        return answer({"security_groups": shown(groups[offset : offset + limit_of(params)])})

    @available(until="2.35")
    def retrieve(self, request: Any, group_id: str) -> HttpResponse:
        [group] = shown([networks.security_group(self.actor, checked_id(group_id))])
        return answer({"security_group": group})

    @available(until="2.35")
    @accepts(GROUP)
    def create(self, request: Any, body: dict[str, Any]) -> HttpResponse:
        wanted = body["security_group"]
        with in_novas_words():
            made = networks.create_security_group(self.actor, wanted["name"], wanted["description"])
        return answer({"security_group": shown([made])[0]})

    @available(until="2.35")
    @accepts(GROUP)
    def update(self, request: Any, group_id: str, body: dict[str, Any]) -> HttpResponse:
        wanted = body["security_group"]
        with in_novas_words():
            changed = networks.update_security_group(
                self.actor, checked_id(group_id), wanted["name"], wanted["description"]
            )
        return answer({"security_group": shown([changed])[0]})

    @available(until="2.35")
    def destroy(self, request: Any, group_id: str) -> HttpResponse:
        with in_novas_words():
            networks.delete_security_group(self.actor, checked_id(group_id))
        return empty(202)


class SecurityGroupRuleViewSet(ServiceViewSet):
    """Rules for what may come in."""

    service = "compute"
    policy = {
        "create": "os_compute_api:os-security-groups:rule:create",
        "destroy": "os_compute_api:os-security-groups:rule:delete",
    }

    @available(until="2.35")
    @accepts(RULE)
    def create(self, request: Any, body: dict[str, Any]) -> HttpResponse:
        wanted = body["security_group_rule"]
        group = networks.security_group(self.actor, wanted["parent_group_id"])
        if wanted.get("group_id"):
            networks.security_group(self.actor, wanted["group_id"])
        with in_novas_words():
            rule = networks.add_security_group_rule(self.actor, group.id, **to_rule(wanted))
        return answer({"security_group_rule": rule_shown(group, rule)})

    @available(until="2.35")
    def destroy(self, request: Any, rule_id: str) -> HttpResponse:
        with in_novas_words():
            networks.delete_security_group_rule(self.actor, checked_id(rule_id))
        return empty(202)
