"""Routers: rows and interfaces, so that clients which make one find it. Nothing is routed."""

from __future__ import annotations

from ipaddress import ip_network

from django.db import IntegrityError, transaction

from computecloud.core.actor import Actor
from computecloud.core.clock import utcnow
from integrations.networks import addresses, ports, quotas
from integrations.networks.errors import (
    HTTPBadRequest,
    PortInUse,
    PortNotFound,
    RouterInterfaceNotFound,
    RouterInterfaceNotFoundForSubnet,
    RouterInUse,
    SubnetNotFound,
)
from integrations.networks.models import ROUTER_OWNER, FixedAddress, Port, Router, RouterInterface, Subnet, Tag
from integrations.networks.ports import AddressWish, NewPort


def create(project_id: str, name: str, description: str, admin_state_up: bool) -> Router:
    """Raises OverQuota."""
    quotas.take(project_id, "router")
    return Router.objects.create(
        project_id=project_id, name=name, description=description, admin_state_up=admin_state_up
    )


def delete(router: Router) -> None:
    """Raises RouterInUse."""
    if RouterInterface.objects.filter(router_id=router.id).exists():
        raise RouterInUse(router_id=router.id)
    Tag.objects.filter(kind="routers", resource_id=router.id).delete()
    try:
        with transaction.atomic():
            Router.objects.filter(id=router.id).delete()
    except IntegrityError:
        raise RouterInUse(router_id=router.id) from None
    quotas.give_back(router.project_id, "router")


def add_subnet(actor: Actor, router: Router, subnet_id: str) -> RouterInterface:
    """A new port with the subnet's gateway address on the router."""
    subnet = Subnet.objects.for_actor(actor).filter(id=subnet_id).select_related("network").first()
    if subnet is None:
        raise SubnetNotFound(subnet_id=subnet_id)
    if not subnet.gateway_ip:
        raise HTTPBadRequest("Bad router request: Subnet for router interface must have a gateway IP.")
    _refuse_overlap(router, subnet)
    columns = {"device_owner": ROUTER_OWNER, "device_id": router.id, "status": "ACTIVE", "port_security_enabled": False}
    wish = AddressWish(subnet.id, subnet.gateway_ip)
    new = NewPort(subnet.network, router.project_id, addresses=[wish], columns=columns)
    # its address is the gateway's, or the next free one for a gateway outside of the subnet
    if not addresses.is_usable(addresses.parse_address(subnet.gateway_ip), ip_network(subnet.cidr)):
        new.addresses = [AddressWish(subnet.id)]
    port = ports.create([new], [subnet])[0].port
    return _record(router, subnet, port)


def add_port(actor: Actor, router: Router, port_id: str) -> RouterInterface:
    """An existing port with exactly one IPv4 address, or IPv6 ones, on the router."""
    port = Port.objects.for_actor(actor).filter(id=port_id).first()
    if port is None:
        raise PortNotFound(port_id=port_id)
    if port.device_id or port.server_id or port.device_owner.startswith("network:"):
        raise PortInUse(port_id=port.id, net_id=port.network_id, device_id=port.device_id)
    held = [row.subnet for row in FixedAddress.objects.filter(port_id=port.id).select_related("subnet")]
    if not held:
        raise HTTPBadRequest("Bad router request: A port on the router must have at least one fixed IP.")
    for subnet in held:
        _refuse_overlap(router, subnet)
    free = Port.objects.filter(id=port.id, device_id="", server_id="")
    if not free.update(device_id=router.id, device_owner=ROUTER_OWNER, status="ACTIVE", updated_at=utcnow()):
        raise PortInUse(port_id=port.id, net_id=port.network_id, device_id="another device")
    recorded = [_record(router, subnet, port) for subnet in held]
    return recorded[0]


def _record(router: Router, subnet: Subnet, port: Port) -> RouterInterface:
    try:
        with transaction.atomic():
            return RouterInterface.objects.create(router=router, subnet=subnet, port=port)
    except IntegrityError:
        raise _has_subnet(router, subnet) from None


def _has_subnet(router: Router, subnet: Subnet) -> HTTPBadRequest:
    return HTTPBadRequest(f"Bad router request: Router already has a port on subnet {subnet.id}.")


def _refuse_overlap(router: Router, subnet: Subnet) -> None:
    block = ip_network(subnet.cidr)
    there = RouterInterface.objects.filter(router_id=router.id).values_list("subnet_id", "subnet__cidr")
    for subnet_id, cidr in there:
        if subnet_id == subnet.id:
            raise _has_subnet(router, subnet)
        if addresses.overlaps(block, [cidr]):
            raise HTTPBadRequest(
                f"Bad router request: Cidr {subnet.cidr} of subnet {subnet.id} overlaps with cidr {cidr} of subnet "
                f"{subnet_id}."
            )


def remove(router: Router, *, subnet_id: str | None, port_id: str | None) -> RouterInterface:
    """Take an interface off the router; its port ends. Raises RouterInterfaceNotFound and ...ForSubnet."""
    rows = RouterInterface.objects.filter(router_id=router.id).select_related("port", "subnet")
    if port_id:
        found = rows.filter(port_id=port_id).first()
        if found is None:
            raise RouterInterfaceNotFound(router_id=router.id, port_id=port_id)
        if subnet_id and found.subnet_id != subnet_id:
            raise HTTPBadRequest(f"Subnet {subnet_id} is not on port {port_id}.")
    else:
        found = rows.filter(subnet_id=subnet_id).first()
        if found is None:
            raise RouterInterfaceNotFoundForSubnet(router_id=router.id, subnet_id=subnet_id)
    RouterInterface.objects.filter(port_id=found.port_id).delete()
    ports.delete([found.port])
    return found
