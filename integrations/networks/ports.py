"""Making, changing and ending ports, in the caller's transaction. Rights are checked by the callers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

from django.db import IntegrityError, transaction

from integrations.networks import addresses, allocation, groups, quotas
from integrations.networks.allocation import Want
from integrations.networks.errors import (
    AllocationOnAutoAddressSubnet,
    InvalidInput,
    InvalidIpForNetwork,
    InvalidIpForSubnet,
    MacAddressInUse,
    NoNetworkAvailable,
)
from integrations.networks.models import (
    DHCP_OWNER,
    FixedAddress,
    Network,
    Port,
    PortSecurityGroup,
    Subnet,
    Tag,
)

MOST_ADDRESSES = 5
ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class AddressWish:
    """One entry of ``fixed_ips``: a subnet, an address, or both."""

    subnet_id: str | None = None
    address: str | None = None


@dataclass(slots=True)
class NewPort:
    """A port to be made. ``mac`` None: made up; ``addresses`` None: what the network's subnets give by themselves."""

    network: Network
    project_id: str
    mac: str | None = None
    addresses: Sequence[AddressWish] | None = None
    group_ids: Sequence[str] = ()
    columns: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MadePort:
    """A port that was made, with its addresses and the ids of its groups."""

    port: Port
    addresses: tuple[FixedAddress, ...]
    group_ids: tuple[str, ...]


def create(new: Sequence[NewPort], subnets: Iterable[Subnet], *, counted: bool = True) -> list[MadePort]:
    """Make all of the ports, with their addresses and groups. ``subnets`` are all those of their networks.

    Raises OverQuota, MacAddressInUse and what ``allocation.take`` raises.
    """
    if counted:
        for project_id, count in sorted(Counter(port.project_id for port in new).items()):
            quotas.take(project_id, "port", count)
    ports = _insert(new)
    by_network: dict[str, list[Subnet]] = {}
    for subnet in subnets:
        by_network.setdefault(subnet.network_id, []).append(subnet)
    wants: list[Want] = []
    for port, wanted in zip(ports, new, strict=True):
        wants += wants_of(port, by_network.get(port.network_id, []), wanted.addresses)
    taken = allocation.take(wants)
    made = [
        MadePort(port, tuple(row for row in taken if row.port_id == port.id), tuple(wanted.group_ids))
        for port, wanted in zip(ports, new, strict=True)
    ]
    links = [(one.port.id, group_id) for one in made for group_id in one.group_ids]
    if links:
        groups.put_ports_in(links)
    return made


def _insert(new: Sequence[NewPort]) -> list[Port]:
    for _ in range(ATTEMPTS):
        rows = [
            Port(
                network=port.network, project_id=port.project_id, mac_address=port.mac or addresses.new_mac(),
                **port.columns,
            )
            for port in new
        ]  # fmt: skip
        try:
            with transaction.atomic():
                return Port.objects.bulk_create(rows)
        except IntegrityError:
            if not _about_macs(new, rows):
                raise
    raise NoNetworkAvailable


def _about_macs(new: Sequence[NewPort], rows: Sequence[Port]) -> bool:
    """Whether a made-up MAC was taken, so that another try helps. Raises MacAddressInUse for a given one."""
    given = [(port.network.id, port.mac) for port in new if port.mac]
    for network_id, mac in given:
        twice = given.count((network_id, mac)) > 1
        if twice or Port.objects.filter(network_id=network_id, mac_address=mac).exists():
            raise MacAddressInUse(net_id=network_id, mac=mac)
    macs = {row.mac_address for row in rows}
    return len(macs) < len(rows) or Port.objects.filter(mac_address__in=macs).exists()


def wants_of(port: Port, subnets: Sequence[Subnet], wishes: Sequence[AddressWish] | None) -> list[Want]:
    """The addresses a port is to get from its network's subnets."""
    if wishes is None:
        return _automatic(port, subnets)
    if len(wishes) > MOST_ADDRESSES:
        raise InvalidInput(error_message="Exceeded maximum amount of fixed ips per port")
    return [_wanted(port, subnets, wish) for wish in wishes]


def _automatic(port: Port, subnets: Sequence[Subnet]) -> list[Want]:
    """One IPv4 address, one IPv6 address, and every address the guest will make for itself."""
    wants = []
    for version in (4, 6):
        choice = tuple(one for one in subnets if one.ip_version == version and not one.derives_addresses)
        if choice:
            wants.append(Want(port.id, choice))
    wants += [Want(port.id, (one,), derived(one, port.mac_address)) for one in subnets if one.derives_addresses]
    return wants


def derived(subnet: Subnet, mac: str) -> str:
    """The address that a guest makes for itself in a SLAAC subnet."""
    return addresses.slaac(ip_network(subnet.cidr), mac)


def _wanted(port: Port, subnets: Sequence[Subnet], wish: AddressWish) -> Want:
    if wish.subnet_id is not None:
        subnets = [one for one in subnets if one.id == wish.subnet_id]
        if not subnets:
            raise InvalidInput(
                error_message=f"Failed to create port on network {port.network_id}, because fixed_ips included "
                f"invalid subnet {wish.subnet_id}"
            )
    if wish.address is None:
        if wish.subnet_id is None:
            raise InvalidInput(error_message="IP allocation requires subnet_id or ip_address")
        subnet = subnets[0]
        return Want(port.id, (subnet,), derived(subnet, port.mac_address) if subnet.derives_addresses else None)
    address = str(addresses.parse_address(wish.address))
    for subnet in subnets:
        if allocation.is_inside(subnet, address):
            _refuse_chosen(port, subnet, address)
            return Want(port.id, (subnet,), address)
    raise (InvalidIpForSubnet if wish.subnet_id else InvalidIpForNetwork)(ip_address=address)


def _refuse_chosen(port: Port, subnet: Subnet, address: str) -> None:
    if subnet.derives_addresses and address != derived(subnet, port.mac_address):
        raise AllocationOnAutoAddressSubnet(ip=address, subnet_id=subnet.id)


def readdress(port: Port, subnets: Sequence[Subnet], wishes: Sequence[AddressWish]) -> None:
    """Make the port's addresses what ``wishes`` say; an address it has already serves a wish that fits."""
    held = list(FixedAddress.objects.filter(port_id=port.id))
    wants = wants_of(port, subnets, wishes)
    missing = []
    for want in sorted(wants, key=lambda one: one.address is None):
        fitting = next((row for row in held if _serves(row, want)), None)
        if fitting is None:
            missing.append(want)
        else:
            held.remove(fitting)
    if held:
        FixedAddress.objects.filter(id__in=[row.id for row in held]).delete()
    allocation.take(missing)


def _serves(row: FixedAddress, want: Want) -> bool:
    return row.subnet_id == want.subnets[0].id and want.address in (None, row.address)


def delete(ports: Sequence[Port]) -> None:
    """End ports and give their addresses and quota back."""
    if not ports:
        return
    ids = [port.id for port in ports]
    FixedAddress.objects.filter(port_id__in=ids).delete()
    PortSecurityGroup.objects.filter(port_id__in=ids).delete()
    Tag.objects.filter(kind="ports", resource_id__in=ids).delete()
    Port.objects.filter(id__in=ids)._raw_delete(using=Port.objects.db)
    counted = Counter(port.project_id for port in ports if port.device_owner != DHCP_OWNER)
    for project_id, count in sorted(counted.items()):
        quotas.give_back(project_id, "port", count)
