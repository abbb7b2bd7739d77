"""What a server has on networks: ``/ips``, ``/os-security-groups``."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from computecloud.core.errors import NotFound
from computecloud.http.answers import answer
from computecloud.http.views import ServiceViewSet, query
from instances import servers
from instances.api import server_shapes
from instances.api.queries import Params
from integrations.networks import facade as networks
from integrations.networks.facade import GroupInfo, RuleInfo


class AddressViewSet(ServiceViewSet):
    """A server's addresses, by network."""

    service = "compute"
    policy = {"list": "os_compute_api:ips:index", "retrieve": "os_compute_api:ips:show"}

    def _addresses(self, server_id: str) -> dict[str, Any]:
        return server_shapes.addresses(servers.get(self.actor, server_id).network_info, extended=False)

    @query({}, strict_since="2.102")
    def list(self, request: Any, server_id: str, params: Params) -> HttpResponse:
        return answer({"addresses": self._addresses(server_id)})

    @query({}, strict_since="2.102")
    def retrieve(self, request: Any, server_id: str, network: str, params: Params) -> HttpResponse:
        found = self._addresses(server_id)
        if network not in found:
            raise NotFound("Instance is not a member of specified network")
        return answer({network: found[network]})


def _ports_of(rule: RuleInfo) -> tuple[int | None, int | None]:
    """Nova writes out what "every port" means."""
    if rule.protocol and rule.port_range_min is None and rule.port_range_max is None:
        return (1, 65535) if rule.protocol.upper() in ("TCP", "UDP") else (-1, -1)
    return rule.port_range_min, rule.port_range_max


def _rule(rule: RuleInfo, names: dict[str, GroupInfo]) -> dict[str, Any]:
    first, final = _ports_of(rule)
    everywhere = "::/0" if rule.ethertype == "IPv6" else "0.0.0.0/0"
    group = names.get(rule.remote_group_id or "")
    return {
        "id": rule.id,
        "parent_group_id": rule.group_id,
        "ip_protocol": rule.protocol,
        "from_port": first,
        "to_port": final,
        "group": {"name": group.name, "tenant_id": group.project_id} if group else {},
        "ip_range": {} if rule.remote_group_id else {"cidr": rule.remote_ip_prefix or everywhere},
    }


def group_shown(group: GroupInfo, known: dict[str, GroupInfo]) -> dict[str, Any]:
    """A security group in Nova's old form: what may come in. ``known``: groups that rules may name, by id."""
    return {
        "id": group.id,
        "name": group.name,
        "description": group.description,
        "tenant_id": group.project_id,
        "rules": [_rule(rule, known) for rule in group.rules if rule.direction == "ingress"],
    }


class ServerSecurityGroupViewSet(ServiceViewSet):
    """The groups a server's ports are in."""

    service = "compute"
    policy = {"list": "os_compute_api:os-security-groups:list"}

    @query({}, strict_since="2.102")
    def list(self, request: Any, server_id: str, params: Params) -> HttpResponse:
        groups = networks.groups_of_server(servers.get(self.actor, server_id).id)
        known = {group.id: group for group in groups}
        return answer({"security_groups": [group_shown(group, known) for group in groups]})


