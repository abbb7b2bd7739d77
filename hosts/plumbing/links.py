"""Network devices of this host's network namespace, through iproute2: read as JSON, changed in batches.

pyroute2 would cost the agent 24 MB of memory; one batch costs 3 ms.
"""

from __future__ import annotations

import fcntl
import json
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from computecloud.core.command import CommandFailed, run
from hosts.drivers.errors import Fatal

# linux/if_tun.h
TUNSETIFF, TUNSETPERSIST = 0x400454CA, 0x400454CB
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
FLOOD = "00:00:00:00:00:00"


@dataclass(frozen=True, slots=True)
class Link:
    """One device as it is now."""

    name: str
    alias: str
    kind: str  # bridge, vxlan, tun, veth, ...
    mtu: int
    bridge: str | None
    is_up: bool
    segment: int | None  # of a VXLAN device
    local: str | None


def read() -> dict[str, Link]:
    """Every device, by name."""
    rows: list[dict[str, Any]] = json.loads(run(["ip", "-json", "-details", "link", "show"]) or b"[]")
    return {row["ifname"]: _link(row) for row in rows}


def _link(row: dict[str, Any]) -> Link:
    info: dict[str, Any] = row.get("linkinfo", {})
    data: dict[str, Any] = info.get("info_data", {})
    return Link(
        name=row["ifname"],
        alias=row.get("ifalias", ""),
        kind=info.get("info_kind", ""),
        mtu=row["mtu"],
        bridge=row.get("master"),
        is_up="UP" in row["flags"],
        segment=data.get("id") if info.get("info_kind") == "vxlan" else None,
        local=data.get("local"),
    )


def change(commands: Sequence[str], *, inside: int | None = None) -> None:
    """Run iproute2 commands one after the other, in the network namespace of process ``inside`` when given.

    Their words are made of checked names and numbers only, never of a user's text.
    """
    if commands:
        prefix = ["nsenter", f"--net=/proc/{inside}/ns/net", "--"] if inside else []
        run([*prefix, "ip", "-batch", "-"], data=("\n".join(commands) + "\n").encode())


def remove(*devices: str) -> None:
    """The devices are gone. One may go by itself at the same moment (the other end of a pair)."""
    if not devices:
        return
    lines = "".join(f"link delete dev {device}\n" for device in devices)
    try:
        run(["ip", "-force", "-batch", "-"], data=lines.encode())
    except CommandFailed:
        if read().keys() & set(devices):
            raise


def make_tap(name: str) -> None:
    """A tap device that stays when nobody has it open."""
    request = struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI)
    with open("/dev/net/tun", "r+b", buffering=0) as tun:  # noqa: PTH123 - a device, opened without buffering
        fcntl.ioctl(tun, TUNSETIFF, request)
        fcntl.ioctl(tun, TUNSETPERSIST, 1)


def quiet(name: str) -> None:
    """No IPv6 on a device: the host takes no part in the guests' networks."""
    with suppress(FileNotFoundError):  # a kernel without IPv6
        Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
        Path(f"/proc/sys/net/ipv6/conf/{name}/accept_ra").write_text("0")


def flooded_to(device: str) -> set[str]:
    """Addresses of the hosts to which a VXLAN device sends broadcasts and frames for unknown guests."""
    rows = json.loads(run(["bridge", "-json", "fdb", "show", "dev", device]) or b"[]")
    return {row["dst"] for row in rows if row.get("mac") == FLOOD and "dst" in row}


def flood_to(device: str, *, add: set[str], drop: set[str]) -> None:
    lines = [f"fdb append {FLOOD} dev {device} dst {address}" for address in sorted(add)]
    lines += [f"fdb delete {FLOOD} dev {device} dst {address}" for address in sorted(drop)]
    if lines:
        run(["bridge", "-batch", "-"], data=("\n".join(lines) + "\n").encode())


def underlay(wanted: str) -> tuple[str, str]:
    """(device, address) of the underlay, from either of them. Raises Fatal when this host has no such thing."""
    rows = json.loads(run(["ip", "-json", "-4", "address", "show"]))
    by_address = {one["local"]: row["ifname"] for row in rows for one in row["addr_info"]}
    try:
        address = str(IPv4Address(wanted))
    except ValueError:
        address = next((one for one, device in by_address.items() if device == wanted), "")
    if address not in by_address:
        raise Fatal(f"this host has no underlay {wanted!r}; its addresses are {', '.join(by_address)}")
    return by_address[address], address
