"""The hosts' own network: one bridge on the machine, a pair of devices from it into each host. Made with iproute2."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from computecloud.core.command import CommandFailed, run
from deploy.hosts.layout import INSIDE_DEVICE, BadHosts, Host, Underlay

POOL = IPv4Network("172.30.0.0/16")
LOCK = Path("/run/computecloud-underlay.lock")


@contextmanager
def alone() -> Iterator[None]:
    """Only one process of this machine chooses or changes underlays at a time."""
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _ip(*arguments: str, inside: Host | None = None) -> None:
    prefix = ["nsenter", f"--net={inside.namespace('net')}", "--"] if inside else []
    run([*prefix, "ip", *arguments])


def _links(inside: Host | None = None) -> dict[str, dict[str, Any]]:
    """Devices by name."""
    prefix = ["nsenter", f"--net={inside.namespace('net')}", "--"] if inside else []
    return {link["ifname"]: link for link in json.loads(run([*prefix, "ip", "-json", "address", "show"]))}


def _taken() -> list[IPv4Network]:
    """Every IPv4 network that this machine has a route to, except the default route."""
    routes = json.loads(run(["ip", "-json", "-4", "route", "show", "table", "all"]) or b"[]")
    return [IPv4Network(route["dst"], strict=False) for route in routes if route["dst"][0].isdigit()]


def choose(wanted: str | None, start: int) -> str:
    """A free /24 (``wanted`` itself when given and free), searched from number ``start`` of the pool on."""
    taken = _taken()
    pool = list(POOL.subnets(new_prefix=24))
    candidates = [IPv4Network(wanted)] if wanted else [pool[(start + step) % len(pool)] for step in range(len(pool))]
    for candidate in candidates:
        if not any(candidate.overlaps(other) for other in taken):
            return str(candidate)
    raise BadHosts(f"the network {wanted or POOL} is in use on this machine: choose another one with --network")


def is_ours(underlay: Underlay) -> bool:
    """The bridge stands, or its network is free to make it."""
    own = IPv4Network(underlay.cidr)
    return underlay.bridge in _links() or not any(own.overlaps(other) for other in _taken())


def ensure_bridge(underlay: Underlay) -> None:
    """The bridge exists, has the gateway's address and is up, without IPv6."""
    links = _links()
    if underlay.bridge not in links:
        if not is_ours(underlay):
            raise BadHosts(f"{underlay.cidr}, the network of these hosts, is now used by something else here")
        _ip("link", "add", "name", underlay.bridge, "type", "bridge", "stp_state", "0", "forward_delay", "0")
        links = _links()
    _write_sysctl(f"net/ipv6/conf/{underlay.bridge}/disable_ipv6", "1")
    if not any(one.get("local") == underlay.gateway for one in links[underlay.bridge]["addr_info"]):
        _ip("address", "add", f"{underlay.gateway}/{underlay.prefix}", "dev", underlay.bridge)
    _ip("link", "set", "dev", underlay.bridge, "up")


def missing(underlay: Underlay, hosts: Sequence[Host]) -> list[str]:
    """The bridge and the legs that are not there, or not in the bridge."""
    links = _links()
    if underlay.bridge not in links:
        return [f"bridge {underlay.bridge}"]
    return [f"leg {host.leg}" for host in hosts if links.get(host.leg, {}).get("master") != underlay.bridge]


def ensure_leg(underlay: Underlay, host: Host) -> None:
    """The host has its device ``underlay0`` with its address; the other end is in the bridge."""
    outside, inside = _links(), _links(host)
    if INSIDE_DEVICE not in inside:
        if host.leg in outside:  # its other end died with an older namespace, or never got there
            _ip("link", "delete", "dev", host.leg)
        namespace = str(host.namespace("net"))
        pair = ["link", "add", "name", host.leg, "type", "veth", "peer", "name", INSIDE_DEVICE]
        _ip(*pair, "netns", namespace)
        inside = _links(host)
    _write_sysctl(f"net/ipv6/conf/{host.leg}/disable_ipv6", "1")
    _ip("link", "set", "dev", host.leg, "master", underlay.bridge, "up")
    _write_sysctl("net/ipv4/ip_forward", "0", inside=host)
    for scope in ("all", "default"):
        _write_sysctl(f"net/ipv6/conf/{scope}/disable_ipv6", "1", inside=host)
    _ip("link", "set", "dev", "lo", "up", inside=host)
    if not any(one.get("local") == host.address for one in inside[INSIDE_DEVICE]["addr_info"]):
        _ip("address", "add", f"{host.address}/{underlay.prefix}", "dev", INSIDE_DEVICE, inside=host)
    _ip("link", "set", "dev", INSIDE_DEVICE, "up", inside=host)
    _ip("route", "replace", "default", "via", underlay.gateway, inside=host)


def remove_leg(host: Host) -> None:
    """The leg is gone; the kernel may be removing it at the same moment, together with its namespace."""
    if host.leg not in _links():
        return
    try:
        _ip("link", "delete", "dev", host.leg)
    except CommandFailed:
        if host.leg in _links():
            raise


def remove_bridge(underlay: Underlay) -> None:
    if underlay.bridge in _links():
        _ip("link", "delete", "dev", underlay.bridge)


def _write_sysctl(key: str, value: str, *, inside: Host | None = None) -> None:
    """Write one kernel setting; a kernel built without the thing that it governs needs no setting."""
    target = Path("/proc/sys") / key
    if inside is None:
        if target.exists():
            target.write_text(value)
        return
    prefix = ["nsenter", f"--net={inside.namespace('net')}", "--"]
    run([*prefix, "tee", "--", str(target)], data=value.encode(), accept=frozenset({0, 1}))
