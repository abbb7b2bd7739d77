"""Names of devices, and the checks that a value passes before it goes into a command or a file (security row S25)."""

from __future__ import annotations

import hashlib
import re
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError

from hosts.drivers.errors import Fatal

ID = re.compile(r"[0-9a-zA-Z][0-9a-zA-Z-]{10,63}\Z")
MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}\Z")
HOSTNAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
MARK = "computecloud"
HIGHEST_SEGMENT = 2**24 - 1
SMALLEST_MTU, LARGEST_MTU = 576, 9000


def checked_id(value: str) -> str:
    """``value`` when it can be an id of a network or port."""
    if not ID.match(value):
        raise Fatal(f"{value[:70]!r} cannot be the id of a network or port")
    return value


def tap(port_id: str) -> str:
    """The device of a port: "cc" and the first 11 characters of its id."""
    return f"cc{checked_id(port_id)[:11]}"


def bridge(network_id: str) -> str:
    return f"cb{checked_id(network_id)[:11]}"


def vxlan(network_id: str) -> str:
    return f"cx{checked_id(network_id)[:11]}"


def dhcp_leg(network_id: str) -> str:
    """The bridge's end of the pair of devices that leads to the DHCP server."""
    return f"cd{checked_id(network_id)[:11]}"


def table(network_id: str) -> str:
    """The nftables table of a network."""
    return f"cc_{checked_id(network_id)[:11].replace('-', '_')}"


def port_mark(network_id: str, port_id: str) -> str:
    """What a port's device carries as its alias, so that it is known as ours."""
    return f"{MARK}:port:{port_id}:{network_id}"


def network_mark(network_id: str) -> str:
    return f"{MARK}:network:{network_id}"


def dhcp_mac(network_id: str) -> str:
    """The MAC of the DHCP server, the same on each host, so that a migrated guest keeps a true ARP entry."""
    tail = hashlib.sha256(f"dhcp {network_id}".encode()).digest()[:5]
    return ":".join(["0e", *(f"{byte:02x}" for byte in tail)])


def checked_mac(value: str) -> str:
    plain = value.lower()
    if not MAC.match(plain):
        raise Fatal(f"{value[:40]!r} is not a MAC address")
    return plain


def checked_address(value: str) -> str:
    """An IPv4 address in its plain form."""
    try:
        return str(IPv4Address(value))
    except AddressValueError as wrong:
        raise Fatal(f"{value[:40]!r} is not an IPv4 address") from wrong


def checked_cidr(value: str) -> IPv4Network:
    try:
        return IPv4Network(value, strict=False)
    except (AddressValueError, NetmaskValueError, ValueError) as wrong:
        raise Fatal(f"{value[:40]!r} is not an IPv4 network") from wrong


def is_ipv4(value: str) -> bool:
    return ":" not in value


def checked_hostname(value: str) -> str:
    """``value`` in lower case when DHCP may hand it out, else "" (a guest without a name is no reason to fail)."""
    plain = value.lower().partition(".")[0]
    return plain if HOSTNAME.match(plain) else ""


def checked_mtu(value: int) -> int:
    if not SMALLEST_MTU <= value <= LARGEST_MTU:
        raise Fatal(f"an MTU of {value} is outside {SMALLEST_MTU} to {LARGEST_MTU}")
    return value


def checked_segment(value: int) -> int:
    if not 1 <= value <= HIGHEST_SEGMENT:
        raise Fatal(f"{value} is not a VXLAN network identifier")
    return value
