"""What servers and hosts need to know about ports, read in a few queries however many there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from django.db.models import QuerySet

from integrations.networks.models import DHCP_OWNER, FixedAddress, Port, PortSecurityGroup, Subnet
from integrations.networks.ports import MadePort
from integrations.networks.values import FixedIp, HostNetwork, PortInfo, ServerAddress


def nics(server_id: str) -> list[PortInfo]:
    """The server's ports, in the order of its nics."""
    return _infos(Port.objects.filter(server_id=server_id))


def nics_of_servers(server_ids: Sequence[str]) -> dict[str, list[PortInfo]]:
    """The ports of many servers; four queries in all."""
    found: dict[str, list[PortInfo]] = {server_id: [] for server_id in server_ids}
    for info in _infos(Port.objects.filter(server_id__in=server_ids)):
        found[info.server_id].append(info)
    return found


def addresses_of(server_ids: Sequence[str]) -> list[ServerAddress]:
    """Every address of these servers, in the order of their nics; one query."""
    rows = FixedAddress.objects.filter(port__server_id__in=server_ids).order_by("port__position", "id")
    columns = rows.values_list(
        "port__server_id", "port__network__name", "address", "subnet__ip_version", "port__mac_address", "port_id"
    )
    return [ServerAddress(*row) for row in columns]


def security_groups_of(server_id: str) -> list[tuple[str, str]]:
    """(id, name) of every group that any of the server's ports is in, each once, sorted by name."""
    rows = PortSecurityGroup.objects.filter(port__server_id=server_id)
    return sorted(set(rows.values_list("group_id", "group__name")), key=lambda row: (row[1], row[0]))


def hosts_of_networks(network_ids: Iterable[str]) -> dict[str, set[str]]:
    """Which hosts carry each network, by host id."""
    found: dict[str, set[str]] = {network_id: set() for network_id in network_ids}
    rows = Port.objects.filter(network_id__in=list(found)).exclude(host_id="")
    for network_id, host_id in rows.values_list("network_id", "host_id").distinct().order_by():
        found[network_id].add(host_id)
    return found


def host_networks(host_id: str) -> list[HostNetwork]:
    """What the host must carry: every network with a port bound there."""
    infos = _infos(Port.objects.filter(host_id=host_id))
    by_network: dict[str, list[PortInfo]] = defaultdict(list)
    for info in infos:
        by_network[info.network_id].append(info)
    cidrs: dict[str, list[str]] = defaultdict(list)
    for network_id, cidr in Subnet.objects.filter(network_id__in=list(by_network)).values_list("network_id", "cidr"):
        cidrs[network_id].append(cidr)
    carriers = hosts_of_networks(by_network)
    return [
        HostNetwork(
            network_id=network_id,
            name=ports[0].network_name,
            segment=ports[0].segment,
            mtu=ports[0].mtu,
            cidrs=tuple(cidrs[network_id]),
            dhcp_address=ports[0].dhcp_address,
            ports=tuple(ports),
            peer_host_ids=tuple(sorted(carriers[network_id] - {host_id})),
        )
        for network_id, ports in by_network.items()
    ]


def made_infos(made: Sequence[MadePort]) -> list[PortInfo]:
    """Ports that were made this moment, without reading them again; one query."""
    responders = dhcp_addresses({one.port.network_id for one in made})
    return [
        _info(one.port, [_fixed_ip(row) for row in one.addresses], one.group_ids, responders.get(one.port.network_id))
        for one in made
    ]


def _infos(rows: QuerySet[Port]) -> list[PortInfo]:
    ports = list(rows.select_related("network").order_by("server_id", "position", "id"))
    if not ports:
        return []
    ids = [port.id for port in ports]
    fixed = _fixed_ips(ids)
    groups: dict[str, list[str]] = defaultdict(list)
    for port_id, group_id in PortSecurityGroup.objects.filter(port_id__in=ids).values_list("port_id", "group_id"):
        groups[port_id].append(group_id)
    responders = dhcp_addresses({port.network_id for port in ports})
    return [_info(port, fixed[port.id], groups[port.id], responders.get(port.network_id)) for port in ports]


def _info(port: Port, fixed: Sequence[FixedIp], groups: Sequence[str], responder: str | None) -> PortInfo:
    return PortInfo(
        port_id=port.id,
        created_here=port.made_for_server,
        mac=port.mac_address,
        network_id=port.network_id,
        network_name=port.network.name,
        mtu=port.network.mtu,
        segment=port.network.segment,
        fixed_ips=tuple(fixed),
        dhcp_address=responder,
        security_groups=tuple(groups),
        tag=port.tag_in_server or None,
        server_id=port.server_id,
        extra_dhcp_opts=tuple((option["opt_name"], option["opt_value"]) for option in port.extra_dhcp_opts),
    )


def _fixed_ips(port_ids: Sequence[str]) -> dict[str, list[FixedIp]]:
    found: dict[str, list[FixedIp]] = defaultdict(list)
    for row in FixedAddress.objects.filter(port_id__in=port_ids).select_related("subnet").order_by("id"):
        found[row.port_id].append(_fixed_ip(row))
    return found


def _fixed_ip(row: FixedAddress) -> FixedIp:
    subnet = row.subnet
    routes = tuple((route["destination"], route["nexthop"]) for route in subnet.host_routes)
    return FixedIp(row.address, subnet.id, subnet.cidr, subnet.gateway_ip, tuple(subnet.dns_nameservers), routes)


def dhcp_addresses(network_ids: Iterable[str]) -> dict[str, str]:
    """The address of each network's DHCP responder, the same on every host; none without DHCP."""
    rows = FixedAddress.objects.filter(port__network_id__in=list(network_ids), port__device_owner=DHCP_OWNER)
    found: dict[str, str] = {}
    for network_id, address in rows.order_by("id").values_list("port__network_id", "address"):
        found.setdefault(network_id, address)
    return found


def servers_with_ports() -> set[str]:
    """Ids of all servers that hold a port, for the audit."""
    return set(Port.objects.exclude(server_id="").values_list("server_id", flat=True))
