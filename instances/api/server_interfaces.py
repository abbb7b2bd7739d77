"""``/servers/{id}/os-interface``: a server's ports, attached and detached while it is there."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from computecloud.core.errors import Invalid, NotFound
from computecloud.http.answers import answer, empty
from computecloud.http.microversions import Field, VersionedShape
from computecloud.http.views import ServiceViewSet, accepts, query
from instances import servers
from instances.actions.interfaces import AttachInterface, DetachInterface
from instances.api.queries import Params
from instances.api.schemas.server_parts import ATTACH_INTERFACE
from integrations.networks import facade as networks
from integrations.networks.facade import NetworkWish, PortInfo


class InterfaceShape(VersionedShape):
    """A port in the hands of a server; the context is the server's power: a port is ACTIVE while its guest runs."""

    fields = {
        "net_id": Field("network_id"),
        "port_id": Field("port_id"),
        "mac_addr": Field("mac"),
        "port_state": Field(lambda port, runs: "ACTIVE" if runs else "DOWN"),
        "fixed_ips": Field(
            lambda port, _: [{"subnet_id": one.subnet_id, "ip_address": one.address} for one in port.fixed_ips]
        ),
        "tag": Field("tag", since="2.70"),
    }


class InterfaceViewSet(ServiceViewSet):
    """A server's ports, as the Network service has them."""

    service = "compute"
    policy = {
        "list": "os_compute_api:os-attach-interfaces:list",
        "retrieve": "os_compute_api:os-attach-interfaces:show",
        "create": AttachInterface.rule,
        "destroy": DetachInterface.rule,
    }

    def _ports(self, server_id: str) -> tuple[list[PortInfo], bool]:
        server = servers.get(self.actor, server_id)
        return networks.nics(server.id), server.power_on and server.host_id is not None

    @query({}, strict_since="2.102")
    def list(self, request: Any, server_id: str, params: Params) -> HttpResponse:
        ports, runs = self._ports(server_id)
        shown = [InterfaceShape.render(port, request.api_version, runs) for port in ports]
        return answer({"interfaceAttachments": shown})

    @query({}, strict_since="2.102")
    def retrieve(self, request: Any, server_id: str, port_id: str, params: Params) -> HttpResponse:
        ports, runs = self._ports(server_id)
        port = next((one for one in ports if one.port_id == port_id), None)
        if port is None:
            raise NotFound(f"Instance {server_id} does not have a port with id {port_id[:64]}")
        return answer({"interfaceAttachment": InterfaceShape.render(port, request.api_version, runs)})

    @accepts(ATTACH_INTERFACE)
    def create(self, request: Any, server_id: str, body: dict[str, Any]) -> HttpResponse:
        """Answered when the guest has it."""
        server = servers.get(self.actor, server_id)
        port = AttachInterface.attach(self.actor, server, wish_of(body), request.request_id)
        shown = InterfaceShape.render(port, request.api_version, server.power_on)
        return answer({"interfaceAttachment": shown})

    def destroy(self, request: Any, server_id: str, port_id: str) -> HttpResponse:
        server = servers.get(self.actor, server_id)
        DetachInterface.request(self.actor, server, request.request_id, port_id=port_id)
        return empty(202)


def wish_of(body: dict[str, Any]) -> NetworkWish:
    """Raises Invalid for a body that names too much."""
    wanted = body.get("interfaceAttachment", {})
    network, port = wanted.get("net_id"), wanted.get("port_id")
    address = wanted["fixed_ips"][0]["ip_address"] if "fixed_ips" in wanted else None
    if network and port:
        raise Invalid("Must not input both network_id and port_id")
    if address and not network:
        raise Invalid("Must input network_id when request IP address")
    return NetworkWish(network_id=network, port_id=port, fixed_ip=address, tag=wanted.get("tag"))
