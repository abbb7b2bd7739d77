"""From what a server's owner asked for to port plans: everything that can be refused before anything is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from django.db.models import Exists, OuterRef

from computecloud.core.actor import Actor
from computecloud.core.errors import Forbidden
from integrations.networks import addresses, allocation
from integrations.networks.errors import (
    FixedIpAlreadyInUse,
    FixedIpInvalidForNetwork,
    InvalidInput,
    NetworkAmbiguous,
    NetworkRequiresSubnet,
    PortRequiresFixedIP,
    RequestedGroupAmbiguous,
    RequestedGroupNotFound,
    RequestedNetworkNotFound,
    RequestedPortInUse,
    RequestedPortNotFound,
    RequestedPortTwice,
)
from integrations.networks.groups import default_group_id
from integrations.networks.models import FixedAddress, Network, Port, SecurityGroup, Subnet
from integrations.networks.models.security_group import DEFAULT
from integrations.networks.values import NetworkWish, PortPlan

Wishes = Sequence[NetworkWish] | Literal["auto", "none"] | None


def resolve(actor: Actor, wishes: Wishes) -> list[PortPlan]:
    """What ports a new server is to get, in order.

    ``"none"``: no ports, no query. ``"auto"`` or None: the one network that the project can use (its own or a shared
    one, with a subnet), or no ports when there is none. Raises NetworkAmbiguous and the errors worded as Nova's.
    """
    if wishes == "none":
        return []
    if wishes is None or wishes == "auto":
        return _automatic(actor)
    assert not isinstance(wishes, str)
    _refuse_repeats(wishes)
    ports = _ports(actor, [wish.port_id for wish in wishes if wish.port_id])
    network_ids = {wish.network_id for wish in wishes if wish.network_id and not wish.port_id}
    networks = _networks(actor, network_ids)
    plans = []
    for wish in wishes:
        if wish.port_id:
            plans.append(PortPlan(ports[wish.port_id].network_id, port_id=wish.port_id, tag=wish.tag))
        else:
            plans.append(_on_network(actor, wish, networks))
    return plans


def _automatic(actor: Actor) -> list[PortPlan]:
    has_subnet = Exists(Subnet.objects.filter(network_id=OuterRef("id")))
    usable = Network.objects.attachable_by(actor.project_id).filter(has_subnet, admin_state_up=True, is_external=False)
    found = list(usable.values_list("id", flat=True)[:2])
    if len(found) > 1:
        raise NetworkAmbiguous
    return [PortPlan(network_id) for network_id in found]


def _refuse_repeats(wishes: Sequence[NetworkWish]) -> None:
    seen: set[str] = set()
    for wish in wishes:
        if wish.port_id and wish.port_id in seen:
            raise RequestedPortTwice(port_id=wish.port_id)
        if wish.port_id:
            seen.add(wish.port_id)


def _ports(actor: Actor, ids: Sequence[str]) -> dict[str, Port]:
    if not ids:
        return {}
    addressed = Exists(FixedAddress.objects.filter(port_id=OuterRef("id")))
    rows = Port.objects.for_actor(actor).filter(id__in=ids).annotate(addressed=addressed)
    found = {port.id: port for port in rows}
    for port_id in ids:
        port = found.get(port_id)
        if port is None:
            raise RequestedPortNotFound(port_id=port_id)
        if port.server_id or port.device_id or port.device_owner.startswith("network:"):
            raise RequestedPortInUse(port_id=port_id)
        if not port.addressed:  # type: ignore[attr-defined]  # annotated above
            raise PortRequiresFixedIP(port_id=port_id)
    return found


def _networks(actor: Actor, ids: set[str]) -> dict[str, tuple[Network, list[Subnet]]]:
    if not ids:
        return {}
    rows = Network.objects.all() if actor.is_admin else Network.objects.attachable_by(actor.project_id)
    found: dict[str, tuple[Network, list[Subnet]]] = {one.id: (one, []) for one in rows.filter(id__in=ids)}
    for network_id in ids:
        if network_id not in found:
            raise RequestedNetworkNotFound(network_id=network_id)
    for subnet in Subnet.objects.filter(network_id__in=ids):
        found[subnet.network_id][1].append(subnet)
    return found


def _on_network(actor: Actor, wish: NetworkWish, networks: dict[str, tuple[Network, list[Subnet]]]) -> PortPlan:
    if not wish.network_id:
        raise InvalidInput(error_message="A network or a port is needed for each nic")
    network, subnets = networks[wish.network_id]
    if not subnets:
        raise NetworkRequiresSubnet(network_id=network.id)
    address = _free_address(actor, network, subnets, wish.fixed_ip) if wish.fixed_ip else None
    return PortPlan(network.id, fixed_ip=address, tag=wish.tag)


def _free_address(actor: Actor, network: Network, subnets: Sequence[Subnet], text: str) -> str:
    """The address in canonical writing, when the actor may choose it and nobody has it yet."""
    if not actor.is_admin and network.project_id != actor.project_id:
        raise Forbidden("Choosing an address on a network of another project is disallowed by policy.")
    try:
        address = str(addresses.parse_address(text))
    except InvalidInput:
        raise FixedIpInvalidForNetwork(address=text[:64], network_id=network.id) from None
    subnet = next((one for one in subnets if allocation.is_inside(one, address)), None)
    if subnet is None or subnet.derives_addresses:
        raise FixedIpInvalidForNetwork(address=address, network_id=network.id)
    holder = FixedAddress.objects.filter(subnet_id=subnet.id, address=address).select_related("port").first()
    if holder is not None:
        raise FixedIpAlreadyInUse(address=address, instance_id=holder.port.server_id or holder.port.device_id)
    return address


def resolve_groups(actor: Actor, names: Sequence[str]) -> list[str]:
    """Ids of the actor's project's groups by name or id, each once; the default group for an empty list.

    Raises RequestedGroupNotFound, RequestedGroupAmbiguous.
    """
    return group_ids(actor.project_id or "", names)


def group_ids(project_id: str, names: Sequence[str]) -> list[str]:
    """As ``resolve_groups``, for a project."""
    wanted = list(dict.fromkeys(names)) or [DEFAULT]
    if wanted == [DEFAULT]:
        return [default_group_id(project_id)]
    rows = list(SecurityGroup.objects.filter(project_id=project_id).values_list("id", "name"))
    found: list[str] = []
    for name in wanted:
        matches = [group_id for group_id, _ in rows if group_id == name]
        matches = matches or [group_id for group_id, its_name in rows if its_name == name]
        if not matches and name == DEFAULT:
            matches = [default_group_id(project_id)]
        if not matches:
            raise RequestedGroupNotFound(security_group_id=name, project_id=project_id)
        if len(matches) > 1:
            raise RequestedGroupAmbiguous(name=name)
        found += [group_id for group_id in matches if group_id not in found]
    return found
