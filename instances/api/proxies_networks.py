"""``/os-networks`` and ``/os-tenant-networks``: two facts about each network out of thirty, up to 2.35."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from computecloud.core.errors import Gone
from computecloud.http.answers import answer
from computecloud.http.microversions import available
from computecloud.http.views import ServiceViewSet
from integrations.networks import facade as networks
from integrations.networks.facade import NetworkInfo

EVERYBODYS = (
    "cidr", "netmask", "gateway", "broadcast", "dns1", "dns2", "cidr_v6", "gateway_v6", "netmask_v6",
)  # fmt: skip
ADMINISTRATORS = (
    "created_at", "updated_at", "deleted_at", "deleted", "injected", "bridge", "vlan", "vpn_public_address",
    "vpn_public_port", "vpn_private_address", "dhcp_start", "project_id", "host", "bridge_interface", "multi_host",
    "priority", "rxtx_base", "mtu", "dhcp_server", "enable_dhcp", "share_address",
)  # fmt: skip


def network_shown(network: NetworkInfo, *, to_admin: bool) -> dict[str, Any]:
    """What is left of nova-network's form: id and label; the rest is null, as Nova leaves it."""
    names = EVERYBODYS + (ADMINISTRATORS if to_admin else ())
    return {"id": network.id, "label": network.name} | dict.fromkeys(names)


class NetworkViewSet(ServiceViewSet):
    """Networks that the project may use. What once changed them is gone."""

    service = "compute"
    policy = {
        "list": "os_compute_api:os-networks:list",
        "retrieve": "os_compute_api:os-networks:show",
        "removed": "compute:gone",
    }

    @available(until="2.35")
    def list(self, request: Any) -> HttpResponse:
        found = networks.networks_of(self.actor)
        return answer({"networks": [network_shown(one, to_admin=self.actor.is_admin) for one in found]})

    @available(until="2.35")
    def retrieve(self, request: Any, network_id: str) -> HttpResponse:
        found = networks.network(self.actor, network_id)
        return answer({"network": network_shown(found, to_admin=self.actor.is_admin)})

    def removed(self, request: Any, **place: str) -> HttpResponse:
        raise Gone


class TenantNetworkViewSet(ServiceViewSet):
    """The same for projects; Nova answers the word "None" for the range."""

    service = "compute"
    policy = {
        "list": "os_compute_api:os-tenant-networks:list",
        "retrieve": "os_compute_api:os-tenant-networks:show",
        "removed": "compute:gone",
    }

    @available(until="2.35")
    def list(self, request: Any) -> HttpResponse:
        found = networks.networks_of(self.actor)
        return answer({"networks": [{"id": one.id, "cidr": "None", "label": one.name} for one in found]})

    @available(until="2.35")
    def retrieve(self, request: Any, network_id: str) -> HttpResponse:
        found = networks.network(self.actor, network_id)
        return answer({"network": {"id": found.id, "cidr": "None", "label": found.name}})

    def removed(self, request: Any, **place: str) -> HttpResponse:
        raise Gone
