"""Where a request comes from. A forwarded address is believed from our own front on this machine only."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

LOCAL = ("127.0.0.1", "::1", "", "unix")


def address_of(request: Any) -> str:
    """The client's address as text; "" when it came over a local socket without one."""
    if request is None:
        return ""
    peer = str(request.META.get("REMOTE_ADDR") or "")
    forwarded = str(request.META.get("HTTP_X_FORWARDED_FOR") or "")
    if forwarded and peer in LOCAL:
        return forwarded.rsplit(",", 1)[-1].strip()[:64]
    return peer


@lru_cache(maxsize=16)
def _networks(texts: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(text, strict=False) for text in texts)


def comes_from(request: Any, networks: Iterable[str]) -> bool:
    """Whether the client's address lies in one of the networks. A local socket counts as loopback."""
    text = address_of(request)
    try:
        address = ip_address("127.0.0.1" if text in LOCAL else text)
    except ValueError:
        return False
    return any(address in network for network in _networks(tuple(networks)))
