"""What crosses the facade: frozen dataclasses of plain values, safe to write as JSON."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NetworkWish:
    """One nic as a server's owner asks for it: a network or an existing port, maybe a certain address."""

    network_id: str | None = None
    port_id: str | None = None
    fixed_ip: str | None = None
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class PortPlan:
    """One nic that was found possible. Nothing is taken yet."""

    network_id: str
    port_id: str | None = None
    fixed_ip: str | None = None
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class ServerRef:
    """The server that ports are made for."""

    id: str
    project_id: str
    hostname: str
    availability_zone: str


@dataclass(frozen=True, slots=True)
class FixedIp:
    """An address with what a guest needs to use it. ``routes`` are (destination CIDR, next hop)."""

    address: str
    subnet_id: str
    cidr: str
    gateway: str | None = None
    dns: tuple[str, ...] = ()
    routes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class PortInfo:
    """A port in the hands of a server. ``segment`` is the VXLAN network identifier, ``dhcp_address`` who answers."""

    port_id: str
    created_here: bool
    mac: str
    network_id: str
    network_name: str
    mtu: int
    segment: int
    fixed_ips: tuple[FixedIp, ...] = ()
    dhcp_address: str | None = None
    security_groups: tuple[str, ...] = ()
    tag: str | None = None
    server_id: str = ""
    extra_dhcp_opts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class HostNetwork:
    """A network that a host must carry, with the ports bound there and the other hosts that carry it."""

    network_id: str
    name: str
    segment: int
    mtu: int
    cidrs: tuple[str, ...] = ()
    dhcp_address: str | None = None
    ports: tuple[PortInfo, ...] = ()
    peer_host_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """One address of one server, as its list of addresses shows it."""

    server_id: str
    network_name: str
    address: str
    version: int
    mac: str
    port_id: str = ""


@dataclass(frozen=True, slots=True)
class NetworkInfo:
    """A network as other services show it."""

    id: str
    name: str
    project_id: str
    shared: bool
    is_external: bool
    mtu: int
    subnets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """A security group rule as other services show it; nulls match everything."""

    id: str
    group_id: str
    direction: str
    ethertype: str
    protocol: str | None
    port_range_min: int | None
    port_range_max: int | None
    remote_ip_prefix: str | None
    remote_group_id: str | None


@dataclass(frozen=True, slots=True)
class GroupInfo:
    """A security group as other services show it."""

    id: str
    name: str
    description: str
    project_id: str
    rules: tuple[RuleInfo, ...] = ()
