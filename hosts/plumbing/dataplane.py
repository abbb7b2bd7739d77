"""The network data plane of one host: bridges, VXLAN devices, taps, DHCP servers. Everything looks before it acts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import structlog

from computecloud.core.command import CommandFailed, ProgramMissing
from hosts.drivers.errors import Fatal, Transient
from hosts.drivers.specs import NetworkSpec, NicSpec
from hosts.plumbing import edge, links, names
from hosts.plumbing.dhcp_server import DhcpServer
from hosts.plumbing.links import Link
from hosts.plumbing.records import Records

VXLAN_PORT = 4789

log = structlog.get_logger(__name__)
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class PortSeen:
    """A port that this host has something of: a device with our mark, or a record."""

    port_id: str
    network_id: str
    device: str
    has_device: bool


@dataclass(frozen=True, slots=True)
class NetworkSeen:
    """A network that this host has something of."""

    network_id: str
    bridge: str
    has_bridge: bool
    ports: int


def _locked(method: Callable[Concatenate[Plumbing, P], R]) -> Callable[Concatenate[Plumbing, P], R]:
    """One change at a time, and a failed program is a Transient: the state is looked at again on the next try."""

    @wraps(method)
    def run(self: Plumbing, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with self._records.alone():
                return method(self, *args, **kwargs)
        except ProgramMissing as missing:
            raise Fatal(str(missing)) from missing
        except CommandFailed as failure:
            raise Transient(str(failure)) from failure

    return run


class Plumbing:
    """What a host does for its guests' networks. Runs in the host's own network namespace; needs root."""

    def __init__(self, underlay: str, state_dir: Path, peers: Iterable[str] = ()) -> None:
        """``underlay``: the device or IPv4 address by which other hosts reach this one. ``peers``: their addresses."""
        self._underlay = underlay
        self._records = Records(state_dir)
        self._guarded: dict[str, str] = {}
        self._peers = frozenset(names.checked_address(peer) for peer in peers)

    @_locked
    def ensure_network(self, network: NetworkSpec, peers: Sequence[str] = ()) -> None:
        """This host carries ``network``, and floods it to ``peers`` (added to those it floods to already).

        Raises Fatal for values that no network can have, Transient when a program failed.
        """
        self._ensure_network(network)
        self._flood(network.id, self._wanted_peers(peers), exact=False)

    @_locked
    def sync_peers(self, network_id: str, peers: Sequence[str]) -> None:
        """The network is flooded to exactly ``peers``: for the reconciler, which knows who carries it now."""
        if names.vxlan(network_id) in links.read():
            self._flood(network_id, self._wanted_peers(peers), exact=True)

    @_locked
    def ensure_port(self, nic: NicSpec) -> str:
        """The port's tap is in its network's bridge and DHCP knows it; the name of the tap."""
        tap = names.tap(nic.port_id)
        names.checked_mac(nic.mac)
        self._records.write_network(nic.network)
        self._records.write_port(nic)
        seen = links.read()
        if {names.bridge(nic.network.id), names.vxlan(nic.network.id)} <= seen.keys():
            self._ensure_dhcp(nic.network, seen)
        else:
            self._ensure_network(nic.network)
        self._ensure_tap(nic, tap, seen.get(tap))
        return tap

    def _ensure_tap(self, nic: NicSpec, tap: str, seen: Link | None) -> None:
        bridge, mtu = names.bridge(nic.network.id), names.checked_mtu(nic.network.mtu)
        mark = names.port_mark(nic.network.id, nic.port_id)
        if seen is not None and seen.alias and seen.alias != mark:
            raise Fatal(f"device {tap} belongs to something else: {seen.alias}")
        if seen is None:
            links.make_tap(tap)
            links.quiet(tap)
        if seen is None or (seen.bridge, seen.mtu, seen.is_up, seen.alias) != (bridge, mtu, True, mark):
            links.change([f"link set dev {tap} mtu {mtu} master {bridge} up alias {mark}"])

    @_locked
    def remove_port(self, port_id: str) -> None:
        """Nothing of the port is left, nor of its network when it was the network's last port here."""
        tap = names.tap(port_id)
        seen = links.read().get(tap)
        network_id = self._records.network_of(port_id)
        if seen is not None and seen.alias.startswith(f"{names.MARK}:port:{port_id}:"):
            network_id = network_id or seen.alias.split(":")[3]
            links.remove(tap)
        if network_id is None:
            return
        self._records.forget_port(network_id, port_id)
        network = self._records.network(network_id)
        left = self._records.ports(network_id)
        if not left:
            self._remove_network(network_id)
        elif network is not None and network.dhcp_address is not None:
            self._ensure_dhcp(network, links.read())

    @_locked
    def remove_network(self, network_id: str) -> None:
        """Nothing of the network is left on this host. Raises Fatal while ports use it."""
        ports = self._records.ports(network_id)
        if ports:
            raise Fatal(f"network {network_id} still has {len(ports)} ports on this host")
        self._remove_network(network_id)

    @_locked
    def ports(self) -> list[PortSeen]:
        """Every port with our mark or record: the reconciler compares them with the rows."""
        devices = links.read()
        found = {nic.port_id: (nic.network.id, names.tap(nic.port_id)) for nic in self._records.all_ports()}
        for link in devices.values():
            if link.alias.startswith(f"{names.MARK}:port:"):
                _, _, port_id, network_id = link.alias.split(":")
                found.setdefault(port_id, (network_id, link.name))
        return [
            PortSeen(port_id, network_id, device, has_device=device in devices)
            for port_id, (network_id, device) in sorted(found.items())
        ]

    @_locked
    def networks(self) -> list[NetworkSeen]:
        """Every network with our mark or record."""
        devices = links.read()
        found = set(self._records.networks())
        for link in devices.values():
            if link.kind == "bridge" and link.alias.startswith(f"{names.MARK}:network:"):
                found.add(link.alias.split(":")[2])
        return [
            NetworkSeen(one, names.bridge(one), names.bridge(one) in devices, len(self._records.ports(one)))
            for one in sorted(found)
        ]

    def _ensure_network(self, network: NetworkSpec) -> None:
        self._records.write_network(network)
        seen = links.read()
        self._ensure_bridge(network, seen)
        self._ensure_vxlan(network, seen)
        self._guard(network)
        self._ensure_dhcp(network, links.read())

    def _guard(self, network: NetworkSpec) -> None:
        """The rules that we put in force are still there, or are put in force again."""
        wanted = edge.rules(network)
        if self._guarded.get(network.id) != wanted or not edge.is_guarded(network.id):
            edge.guard(wanted)
            self._guarded[network.id] = wanted

    def _ensure_dhcp(self, network: NetworkSpec, seen: dict[str, Link]) -> None:
        server = DhcpServer(network.id, self._records.state_dir)
        if network.dhcp_address is not None:
            ports = self._records.ports(network.id)
            # A spec may name only the subnets of the guest that it came with.
            cidrs = {*network.cidrs, *(fixed.cidr for nic in ports for fixed in nic.fixed_ips)}
            server.ensure(replace(network, cidrs=tuple(sorted(cidrs))), ports, seen)
        else:
            server.remove()

    def _ensure_bridge(self, network: NetworkSpec, seen: dict[str, Link]) -> None:
        bridge, mtu, mark = names.bridge(network.id), names.checked_mtu(network.mtu), names.network_mark(network.id)
        link = seen.get(bridge)
        if link is None:
            links.change([f"link add name {bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0"])
            links.quiet(bridge)
        if link is None or (link.mtu, link.is_up, link.alias) != (mtu, True, mark):
            links.change([f"link set dev {bridge} mtu {mtu} up alias {mark}"])

    def _ensure_vxlan(self, network: NetworkSpec, seen: dict[str, Link]) -> None:
        device, segment = names.vxlan(network.id), names.checked_segment(network.segment)
        bridge, mtu = names.bridge(network.id), names.checked_mtu(network.mtu)
        lower, local = links.underlay(self._underlay)
        link = seen.get(device)
        if link is not None and (link.segment, link.local) != (segment, local):
            links.remove(device)
            link = None
        if link is None:
            self._free_segment(segment, seen)
            how = f"id {segment} local {local} dev {lower} dstport {VXLAN_PORT} learning ttl 64"
            links.change([f"link add name {device} type vxlan {how}"])
            links.quiet(device)
        if link is None or (link.mtu, link.bridge, link.is_up) != (mtu, bridge, True):
            mark = names.network_mark(network.id)
            links.change([f"link set dev {device} mtu {mtu} master {bridge} up alias {mark}"])

    def _free_segment(self, segment: int, seen: dict[str, Link]) -> None:
        """Remove a network without ports that still has the segment: it was deleted, and its number given anew."""
        for link in seen.values():
            if link.kind == "vxlan" and link.segment == segment and link.alias.startswith(f"{names.MARK}:network:"):
                old = link.alias.split(":")[2]
                if not self._records.ports(old):
                    self._remove_network(old)

    def _wanted_peers(self, peers: Sequence[str]) -> set[str]:
        _device, own = links.underlay(self._underlay)
        return ({names.checked_address(peer) for peer in peers} | self._peers) - {own}

    def _flood(self, network_id: str, wanted: set[str], *, exact: bool) -> None:
        device = names.vxlan(network_id)
        now = links.flooded_to(device)
        links.flood_to(device, add=wanted - now, drop=now - wanted if exact else set())

    def _remove_network(self, network_id: str) -> None:
        DhcpServer(network_id, self._records.state_dir).remove()
        seen = links.read()
        devices = (names.dhcp_leg(network_id), names.vxlan(network_id), names.bridge(network_id))
        links.remove(*(device for device in devices if device in seen))
        edge.unguard(network_id)
        self._guarded.pop(network_id, None)
        self._records.forget_network(network_id)
        log.info("network removed from host", network_id=network_id)
