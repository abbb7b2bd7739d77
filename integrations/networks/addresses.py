"""Arithmetic on addresses, blocks and pools: pure functions, no database. Texts in, texts out, checked on the way."""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypedDict

from integrations.networks.errors import (
    GatewayConflictWithAllocationPools,
    InvalidAllocationPool,
    InvalidInput,
    OutOfBoundsAllocationPool,
    OverlappingAllocationPools,
)

Address = IPv4Address | IPv6Address
Block = IPv4Network | IPv6Network
MAC_PREFIX = "fa:16:3e"


class Pool(TypedDict):
    """A range of addresses, both ends included."""

    start: str
    end: str


def new_mac() -> str:
    """A random MAC address in OpenStack's range."""
    return MAC_PREFIX + "".join(f":{random.SystemRandom().getrandbits(8):02x}" for _ in range(3))


def dhcp_mac(network_id: str) -> str:
    """The MAC from which every host answers DHCP; ``hosts.plumbing.names`` has the same rule, and a test compares."""
    tail = hashlib.sha256(f"dhcp {network_id}".encode()).digest()[:5]
    return ":".join(["0e", *(f"{byte:02x}" for byte in tail)])


def order_key(address: Address) -> str:
    """The address as hexadecimal digits of fixed width: sorts as text the way the number sorts."""
    return format(int(address), "08x" if address.version == 4 else "032x")


def from_order_key(key: str) -> Address:
    """The inverse of ``order_key``."""
    number = int(key, 16)
    return IPv4Address(number) if len(key) == 8 else IPv6Address(number)


def parse_address(text: str) -> Address:
    """Raises InvalidInput. Zone ids (``%eth0``) are no part of an address here."""
    try:
        if "%" in text:
            raise ValueError(text)
        return ip_address(text)
    except ValueError:
        raise InvalidInput(error_message=f"'{text[:64]}' is not a valid IP address") from None


def parse_block(text: str) -> Block:
    """A CIDR as its network address and length; host bits are dropped, as Neutron does. Raises InvalidInput."""
    try:
        if "/" not in text or "%" in text or not text.rpartition("/")[2].isdigit():
            raise ValueError(text)
        return ip_network(text, strict=False)
    except ValueError:
        raise InvalidInput(error_message=f"'{text[:64]}' isn't a recognized IP subnet cidr") from None


def usable_ends(block: Block) -> tuple[Address, Address]:
    """First and last address a port may have: no network or broadcast address, no IPv6 router anycast address."""
    first, last = block[0], block[-1]
    if block.prefixlen >= block.max_prefixlen - 1:
        return first, last
    return (first + 1, last - 1) if block.version == 4 else (first + 1, last)


def is_usable(address: Address, block: Block) -> bool:
    """Whether a port may have this address in this block."""
    if address.version != block.version:
        return False
    first, last = usable_ends(block)
    return int(first) <= int(address) <= int(last)


def default_gateway(block: Block) -> str | None:
    """The first usable address; none in a block too small to hold one beside a port."""
    if block.prefixlen >= block.max_prefixlen - 1:
        return None
    return str(usable_ends(block)[0])


def default_pools(block: Block, gateway: str | None) -> list[Pool]:
    """All usable addresses but the gateway."""
    first, last = usable_ends(block)
    hole = parse_address(gateway) if gateway else None
    if hole is None or not is_usable(hole, block):
        return [{"start": str(first), "end": str(last)}]
    pools: list[Pool] = []
    if hole > first:  # type: ignore[operator]  # the same version, as is_usable said
        pools.append({"start": str(first), "end": str(hole - 1)})
    if hole < last:  # type: ignore[operator]
        pools.append({"start": str(hole + 1), "end": str(last)})
    return pools


def _written(pool: Pool) -> str:
    return f"{pool['start']}-{pool['end']}"


def _ends(pool: Pool, block: Block) -> tuple[int, int]:
    try:
        start, end = ip_address(pool["start"]), ip_address(pool["end"])
    except ValueError:
        raise InvalidAllocationPool(pool=_written(pool)) from None
    if start.version != block.version or end.version != block.version or int(start) > int(end):
        raise InvalidAllocationPool(pool=_written(pool))
    if not (is_usable(start, block) and is_usable(end, block)):
        raise OutOfBoundsAllocationPool(pool=_written(pool), subnet_cidr=str(block))
    return int(start), int(end)


def check_pools(pools: Sequence[Pool], block: Block) -> list[Pool]:
    """The pools in order, in canonical writing. Raises when one is malformed, out of the block or overlaps another."""
    ranges = sorted((*_ends(pool, block), index) for index, pool in enumerate(pools))
    for (_, end, one), (start, _, other) in itertools.pairwise(ranges):
        if start <= end:
            raise OverlappingAllocationPools(
                pool_1=_written(pools[one]), pool_2=_written(pools[other]), subnet_cidr=str(block)
            )
    return [
        {"start": str(ip_address(pools[index]["start"])), "end": str(ip_address(pools[index]["end"]))}
        for _, _, index in ranges
    ]


def check_gateway(gateway: str, block: Block, pools: Sequence[Pool]) -> str:
    """The gateway in canonical writing. It may lie outside of the block, as in Neutron, but never in a pool."""
    address = parse_address(gateway)
    if address.version != block.version:
        raise InvalidInput(error_message=f"gateway_ip '{gateway}' does not match the ip_version '{block.version}'")
    if address.is_unspecified or address.is_multicast or (address in block and not is_usable(address, block)):
        raise InvalidInput(error_message="Gateway is not valid on subnet")
    for pool in pools:
        if int(ip_address(pool["start"])) <= int(address) <= int(ip_address(pool["end"])):
            raise GatewayConflictWithAllocationPools(ip_address=str(address), pool=_written(pool))
    return str(address)


def overlaps(block: Block, others: Iterable[str]) -> bool:
    """Whether the block shares an address with any of the CIDRs."""
    return any(block.version == other.version and block.overlaps(other) for other in map(ip_network, others))


def slaac(block: Block, mac: str) -> str:
    """The address a guest with this MAC makes for itself (modified EUI-64, RFC 4291 appendix A)."""
    octets = bytes.fromhex(mac.replace(":", ""))
    interface = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
    return str(IPv6Address(int(block.network_address) | int.from_bytes(interface, "big")))


def key_ranges(pools: Sequence[Pool]) -> Iterator[tuple[str, str]]:
    """The pools as pairs of order keys."""
    for pool in pools:
        yield order_key(ip_address(pool["start"])), order_key(ip_address(pool["end"]))


def first_free(start: str, end: str, taken: Sequence[str]) -> str | None:
    """The first key in [start, end] that is not in ``taken`` (sorted, within the range), or None."""
    width = len(start)
    candidate, last = int(start, 16), int(end, 16)
    for key in taken:
        number = int(key, 16)
        if number > candidate:
            break
        if number == candidate:
            candidate += 1
    return format(candidate, f"0{width}x") if candidate <= last else None
