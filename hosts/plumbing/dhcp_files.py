"""dnsmasq's files for one network on one host: pure functions from checked values to text (security row S25)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from hosts.drivers.specs import FixedIpSpec, NetworkSpec, NicSpec
from hosts.plumbing import names

DEVICE = "dhcp0"  # inside the server's own network namespace
LEASE_S = 86400


def configuration(network: NetworkSpec, folder: Path, user: str) -> str:
    """``dnsmasq.conf``: DHCP only, for known ports only, no lease file (every address is fixed)."""
    lines = [
        "port=0",
        f"interface={DEVICE}",
        "except-interface=lo",
        "bind-dynamic",
        "no-resolv",
        "no-hosts",
        "no-ping",
        "quiet-dhcp",
        "dhcp-authoritative",
        "leasefile-ro",
        "dhcp-ignore=tag:!known",
        f"user={user}",
        f"dhcp-hostsfile={folder / 'hosts'}",
        f"dhcp-optsfile={folder / 'options'}",
        f"pid-file={folder / 'pid'}",
        f"log-facility={folder / 'log'}",
        f"dhcp-lease-max={65536}",
    ]
    cidrs = [names.checked_cidr(cidr) for cidr in network.cidrs if names.is_ipv4(cidr)]
    lines += [f"dhcp-range={cidr.network_address},static,{cidr.netmask},{LEASE_S}s" for cidr in cidrs]
    address, own = names.checked_address(network.dhcp_address or ""), own_cidr(network)
    lines += [f"shared-network={address},{cidr.network_address}" for cidr in cidrs if str(cidr) != own]
    return "\n".join(lines) + "\n"


def own_cidr(network: NetworkSpec) -> str:
    """The subnet that the DHCP server's own address is in."""
    from_address = names.checked_cidr(f"{names.checked_address(network.dhcp_address or '')}/32")
    for cidr in network.cidrs:
        if names.is_ipv4(cidr) and from_address.subnet_of(names.checked_cidr(cidr)):
            return str(names.checked_cidr(cidr))
    return str(from_address)


def hosts(ports: Sequence[NicSpec]) -> str:
    """``hosts``: one line for each port that gets its address by DHCP."""
    lines = []
    for nic in ports:
        fixed = first_fixed(nic)
        if fixed is None:
            continue
        parts = [names.checked_mac(nic.mac), f"set:{tag(nic.network, fixed)}", names.checked_address(fixed.address)]
        name = names.checked_hostname(nic.hostname)
        lines.append(",".join([*parts, *([name] if name else []), f"{LEASE_S}s"]))
    return "".join(f"{line}\n" for line in lines)


def options(ports: Sequence[NicSpec]) -> str:
    """``options``: for each set of subnet options in use, router, name servers, MTU and routes.

    An option without a value keeps dnsmasq from sending one of its own (itself as router).
    """
    found: dict[str, list[str]] = {}
    for nic in ports:
        fixed = first_fixed(nic)
        if fixed is None:
            continue
        servers = [names.checked_address(server) for server in fixed.dns if names.is_ipv4(server)]
        lines = [
            ",".join(["option:router", *([names.checked_address(fixed.gateway)] if fixed.gateway else [])]),
            ",".join(["option:dns-server", *servers]),
            f"option:mtu,{names.checked_mtu(nic.network.mtu)}",
        ]
        routes = _routes(fixed)
        if routes:
            lines += [f"option:classless-static-route,{routes}", f"249,{routes}"]
        found[tag(nic.network, fixed)] = lines
    return "".join(f"tag:{name},{line}\n" for name, lines in sorted(found.items()) for line in lines)


def _routes(fixed: FixedIpSpec) -> str:
    """Destinations and next hops; the default route too, because clients ignore "router" beside this option."""
    pairs = [(target, hop) for target, hop in fixed.routes if names.is_ipv4(target)]
    if pairs and fixed.gateway:
        pairs.append(("0.0.0.0/0", fixed.gateway))
    return ",".join(f"{names.checked_cidr(target)},{names.checked_address(hop)}" for target, hop in pairs)


def tag(network: NetworkSpec, fixed: FixedIpSpec) -> str:
    """One word for equal options; ports of one subnet share it."""
    facts = repr((network.mtu, fixed.cidr, fixed.gateway, fixed.dns, fixed.routes))
    return f"o{hashlib.sha256(facts.encode()).hexdigest()[:12]}"


def first_fixed(nic: NicSpec) -> FixedIpSpec | None:
    """The address that DHCP gives: a port's first IPv4 address."""
    if not nic.dhcp:
        return None
    return next((fixed for fixed in nic.fixed_ips if names.is_ipv4(fixed.address)), None)
