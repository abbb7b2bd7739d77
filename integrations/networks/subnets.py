"""Subnets: what one may look like, and the DHCP port and SLAAC addresses that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F

from computecloud.core.clock import utcnow
from integrations.networks import addresses, allocation, news, ports, quotas, subnet_pools
from integrations.networks.addresses import Block, Pool
from integrations.networks.allocation import Want
from integrations.networks.errors import (
    DNSNameServersExhausted,
    GatewayIpInUse,
    HostRoutesExhausted,
    InvalidInput,
    NetworkNotFound,
    SubnetInUse,
)
from integrations.networks.models import DHCP_OWNER, ROUTER_OWNER, FixedAddress, Network, Port, Subnet, SubnetPool, Tag
from integrations.networks.ports import NewPort

MOST_NAMESERVERS = 5
MOST_ROUTES = 20
IPV6_MODES = ("slaac", "dhcpv6-stateful", "dhcpv6-stateless")


def create(network: Network, project_id: str, wanted: dict[str, Any], pool: SubnetPool | None = None) -> Subnet:
    """A subnet from a request body whose types are right. Raises InvalidInput, OverQuota and the pool errors.

    ``pool``: cut the block from there; cidr may then be missing, and prefixlen say its length.
    Keys: cidr, ip_version, name, description, gateway_ip (missing: the first address), enable_dhcp, allocation_pools,
    dns_nameservers, host_routes, ipv6_ra_mode, ipv6_address_mode.
    """
    if pool is not None:
        block = subnet_pools.cut(pool, wanted.get("cidr"), _length(wanted.get("prefixlen")))
    else:
        block = _block(wanted["cidr"], wanted["ip_version"])
    subnet = Subnet(
        network=network,
        project_id=project_id,
        subnet_pool=pool,
        name=wanted.get("name") or "",
        description=wanted.get("description") or "",
        ip_version=block.version,
        cidr=str(block),
        enable_dhcp=wanted.get("enable_dhcp", True),
        ipv6_ra_mode=wanted.get("ipv6_ra_mode"),
        ipv6_address_mode=wanted.get("ipv6_address_mode"),
    )
    _check_modes(subnet, block)
    _check_dhcp(subnet, block)
    _set_gateway_and_pools(subnet, block, wanted)
    _set_resolvers(subnet, wanted)
    # takes the network's row, so that two overlapping subnets cannot pass the next check together
    if not Network.objects.filter(id=network.id).update(revision=F("revision") + 1):
        raise NetworkNotFound(net_id=network.id)
    if addresses.overlaps(block, Subnet.objects.filter(network_id=network.id).values_list("cidr", flat=True)):
        raise InvalidInput(
            error_message=f"Requested subnet with cidr: {block} for network: {network.id} overlaps with another subnet"
        )
    quotas.take(project_id, "subnet")
    subnet.save(force_insert=True)
    _serve_dhcp(subnet)
    _give_derived_addresses(subnet)
    news.of_network(network.id)
    return subnet


def _block(cidr: str, ip_version: int) -> Block:
    block = addresses.parse_block(cidr)
    if block.version != ip_version:
        raise InvalidInput(error_message=f"cidr '{cidr}' does not match the ip_version '{ip_version}'")
    if block.prefixlen == 0:
        raise InvalidInput(error_message=f"0 is not allowed as CIDR prefix length: '{cidr}'")
    return block


def _check_modes(subnet: Subnet, block: Block) -> None:
    modes = {subnet.ipv6_ra_mode, subnet.ipv6_address_mode} - {None}
    if not modes:
        return
    if subnet.ip_version == 4:
        raise InvalidInput(error_message="ipv6_ra_mode and ipv6_address_mode are for IPv6 subnets only")
    if not subnet.enable_dhcp:
        raise InvalidInput(
            error_message="ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False"
        )
    if len(modes) > 1:
        raise InvalidInput(
            error_message=f"ipv6_ra_mode set to '{subnet.ipv6_ra_mode}' with ipv6_address_mode set to "
            f"'{subnet.ipv6_address_mode}' is not valid. If both attributes are set, they must be the same value"
        )
    if modes != {"dhcpv6-stateful"} and block.prefixlen != 64:
        raise InvalidInput(
            error_message=f"Invalid CIDR {block} for IPv6 address mode. OpenStack uses the EUI-64 address format, "
            "which requires the prefix to be /64"
        )


def _check_dhcp(subnet: Subnet, block: Block) -> None:
    if not subnet.enable_dhcp:
        return
    for kind, found in (("Multicast", block.is_multicast), ("Loopback", block.is_loopback)):
        if found:
            raise InvalidInput(error_message=f"{kind} IP subnet is not supported if enable_dhcp is True")
    if block.prefixlen > block.max_prefixlen - 2:
        raise InvalidInput(error_message="Subnet has a prefix length that is incompatible with DHCP service enabled")


def _set_gateway_and_pools(subnet: Subnet, block: Block, wanted: dict[str, Any]) -> None:
    gateway = wanted["gateway_ip"] if "gateway_ip" in wanted else addresses.default_gateway(block)
    given: list[Pool] | None = wanted.get("allocation_pools")
    if gateway is not None:
        gateway = addresses.check_gateway(gateway, block, ())
    pools = addresses.check_pools(given, block) if given is not None else addresses.default_pools(block, gateway)
    if gateway is not None:
        addresses.check_gateway(gateway, block, pools)
    subnet.gateway_ip, subnet.allocation_pools = gateway, pools


def _set_resolvers(subnet: Subnet, wanted: dict[str, Any]) -> None:
    if "dns_nameservers" in wanted:
        servers = [str(addresses.parse_address(one)) for one in wanted["dns_nameservers"] or []]
        if len(servers) > MOST_NAMESERVERS:
            raise DNSNameServersExhausted(subnet_id=subnet.id, quota=MOST_NAMESERVERS)
        if len(set(servers)) < len(servers):
            raise InvalidInput(error_message="Duplicate nameserver")
        subnet.dns_nameservers = servers
    if "host_routes" in wanted:
        routes = [_route(one) for one in wanted["host_routes"] or []]
        if len(routes) > MOST_ROUTES:
            raise HostRoutesExhausted(subnet_id=subnet.id, quota=MOST_ROUTES)
        if len({tuple(route.values()) for route in routes}) < len(routes):
            raise InvalidInput(error_message="Duplicate hostroute")
        subnet.host_routes = routes


def _route(wanted: dict[str, str]) -> dict[str, str]:
    destination = addresses.parse_block(wanted["destination"])
    nexthop = addresses.parse_address(wanted["nexthop"])
    if destination.version != nexthop.version:
        raise InvalidInput(error_message=f"nexthop '{nexthop}' does not match the ip_version of '{destination}'")
    return {"destination": str(destination), "nexthop": str(nexthop)}


def update(subnet: Subnet, changes: dict[str, Any]) -> None:
    """Change what may change; keys as in ``create``, less cidr, ip_version and the IPv6 modes."""
    block = ip_network(subnet.cidr)
    had_dhcp = subnet.enable_dhcp
    for name in ("name", "description", "enable_dhcp"):
        if name in changes:
            setattr(subnet, name, changes[name])
    if subnet.enable_dhcp != had_dhcp:
        _check_modes(subnet, block)
        _check_dhcp(subnet, block)
    _change_gateway_and_pools(subnet, block, changes)
    _set_resolvers(subnet, changes)
    subnet.updated_at, subnet.revision = utcnow(), subnet.revision + 1
    subnet.save(force_update=True)
    if subnet.enable_dhcp and not had_dhcp:
        _serve_dhcp(subnet)
    elif had_dhcp and not subnet.enable_dhcp:
        _stop_dhcp(subnet)
    if subnet.enable_dhcp != had_dhcp:
        news.of_network(subnet.network_id)
    elif {"gateway_ip", "dns_nameservers", "host_routes"} & changes.keys():
        news.of_subnet(subnet.id)


def _change_gateway_and_pools(subnet: Subnet, block: Block, changes: dict[str, Any]) -> None:
    if changes.get("allocation_pools") is not None:
        subnet.allocation_pools = addresses.check_pools(changes["allocation_pools"], block)
    if "gateway_ip" not in changes:
        gateway = subnet.gateway_ip
    else:
        gateway = changes["gateway_ip"]
        if subnet.gateway_ip and gateway != subnet.gateway_ip:
            _refuse_used_gateway(subnet)
    if gateway is not None:
        gateway = addresses.check_gateway(gateway, block, subnet.allocation_pools)
    subnet.gateway_ip = gateway


def _refuse_used_gateway(subnet: Subnet) -> None:
    users = FixedAddress.objects.filter(subnet_id=subnet.id, address=subnet.gateway_ip, port__device_owner=ROUTER_OWNER)
    port_id = users.values_list("port_id", flat=True).first()
    if port_id:
        raise GatewayIpInUse(ip_address=subnet.gateway_ip, port_id=port_id)


def delete(subnet: Subnet) -> None:
    """End a subnet; addresses that the cloud or guests made for themselves go with it. Raises SubnetInUse."""
    holders = FixedAddress.objects.filter(subnet_id=subnet.id).exclude(port__device_owner=DHCP_OWNER)
    if subnet.derives_addresses:
        holders = holders.filter(port__device_owner=ROUTER_OWNER)
    if holders.exists():
        raise SubnetInUse(subnet_id=subnet.id, reason="One or more ports have an IP allocation from this subnet")
    _stop_dhcp(subnet)
    news.of_network(subnet.network_id)
    try:
        with transaction.atomic():
            remove([subnet])
    except IntegrityError:
        raise SubnetInUse(
            subnet_id=subnet.id, reason="One or more ports have an IP allocation from this subnet"
        ) from None


def remove(rows: Sequence[Subnet]) -> None:
    """Delete subnets that nobody but the cloud uses."""
    ids = [subnet.id for subnet in rows]
    FixedAddress.objects.filter(subnet_id__in=ids).delete()
    Tag.objects.filter(kind="subnets", resource_id__in=ids).delete()
    Subnet.objects.filter(id__in=ids).delete()
    for project_id in sorted({subnet.project_id for subnet in rows}):
        quotas.give_back(project_id, "subnet", sum(subnet.project_id == project_id for subnet in rows))


def _serve_dhcp(subnet: Subnet) -> None:
    """Reserve the address from which every host answers DHCP on this subnet; IPv4 only."""
    if not subnet.enable_dhcp or subnet.ip_version != 4 or not subnet.allocation_pools:
        return
    network = subnet.network
    port = Port.objects.filter(network_id=network.id, device_owner=DHCP_OWNER).first()
    if port is None:
        columns: dict[str, Any] = {"device_owner": DHCP_OWNER, "device_id": f"dhcp-{network.id}", "status": "ACTIVE"}
        columns |= {"port_security_enabled": False}
        mac = addresses.dhcp_mac(network.id)
        new = NewPort(network, network.project_id, mac, addresses=(), columns=columns)
        port = ports.create([new], (), counted=False)[0].port
    allocation.take([Want(port.id, (subnet,))])


def _stop_dhcp(subnet: Subnet) -> None:
    FixedAddress.objects.filter(subnet_id=subnet.id, port__device_owner=DHCP_OWNER).delete()
    idle = Port.objects.filter(network_id=subnet.network_id, device_owner=DHCP_OWNER, fixed_addresses__isnull=True)
    ports.delete(list(idle))


def _give_derived_addresses(subnet: Subnet) -> None:
    """Guests that are there already will make themselves an address of a new SLAAC subnet: record it."""
    if subnet.derives_addresses:
        there = Port.objects.filter(network_id=subnet.network_id).exclude(device_owner__startswith="network:")
        allocation.take([Want(port.id, (subnet,), ports.derived(subnet, port.mac_address)) for port in there])


def _length(wanted: int | str | None) -> int | None:
    return int(wanted) if wanted is not None else None
