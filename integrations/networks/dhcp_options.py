"""Extra DHCP options that a port may carry: known names only, each value checked by its type (S25).

Names are dnsmasq's (https://thekelleys.org.uk/dnsmasq/docs/dnsmasq-man.html). Nothing that names a file to run, a
relay or a lease script is among them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from ipaddress import ip_address, ip_network
from typing import Any

from integrations.networks.errors import InvalidInput

MOST_OPTIONS = 20
_HOST = re.compile(r"^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,62})(\.[A-Za-z0-9]([A-Za-z0-9-]{0,62}))*\.?$")
_PATH = re.compile(r"^[A-Za-z0-9_./:@%+=?&~-]{1,255}$")
_WORDS = re.compile(r"^[A-Za-z0-9 _./:@+-]{1,255}$")


def _is_address(text: str) -> bool:
    try:
        return "%" not in text and bool(ip_address(text))
    except ValueError:
        return False


def _are_addresses(text: str) -> bool:
    return 0 < len(text.split(",")) <= 8 and all(_is_address(part) for part in text.split(","))


def _is_address_or_host(text: str) -> bool:
    return _is_address(text) or bool(_HOST.match(text))


def _are_hosts(text: str) -> bool:
    return len(text.split(",")) <= 8 and all(_HOST.match(part) for part in text.split(","))


def _number(low: int, high: int) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        return text.isascii() and text.isdigit() and len(text) <= 10 and low <= int(text) <= high

    return check


def _are_routes(text: str) -> bool:
    """``destination,nexthop`` pairs, comma separated."""
    parts = text.split(",")
    if not parts or len(parts) % 2 or len(parts) > 16:
        return False
    try:
        for destination, nexthop in zip(parts[::2], parts[1::2], strict=True):
            if "%" in destination + nexthop or ip_network(destination).version != ip_address(nexthop).version:
                return False
    except ValueError:
        return False
    return True


ALLOWED: dict[str, Callable[[str], bool]] = {
    "bootfile-name": lambda text: bool(_PATH.match(text)),
    "bootfile-url": lambda text: bool(_PATH.match(text)),
    "root-path": lambda text: bool(_PATH.match(text)),
    "tftp-server": _is_address_or_host,
    "tftp-server-address": _are_addresses,
    "150": _are_addresses,  # TFTP server addresses, by number only
    "server-ip-address": _is_address,
    "router": _are_addresses,
    "dns-server": _are_addresses,
    "ntp-server": _are_addresses,
    "log-server": _are_addresses,
    "netbios-ns": _are_addresses,
    "domain-name": lambda text: bool(_HOST.match(text)),
    "domain-search": _are_hosts,
    "mtu": _number(68, 65535),
    "interface-mtu": _number(68, 65535),
    "default-ttl": _number(1, 255),
    "time-offset": _number(0, 86400),
    "T1": _number(60, 31536000),
    "T2": _number(60, 31536000),
    "lease-time": _number(120, 31536000),
    "classless-static-route": _are_routes,
    "static-route": _are_routes,
    "vendor-class": lambda text: bool(_WORDS.match(text)),
    "user-class": lambda text: bool(_WORDS.match(text)),
}


def merge(current: Sequence[dict[str, Any]], wanted: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """``current`` with ``wanted`` applied: a null value removes, any other adds or replaces. Raises InvalidInput."""
    found = {(option["opt_name"], option["ip_version"]): option for option in current}
    for option in wanted:
        checked = _check(option)
        key = (checked["opt_name"], checked["ip_version"])
        if checked["opt_value"] is None:
            found.pop(key, None)
        else:
            found[key] = checked
    if len(found) > MOST_OPTIONS:
        raise InvalidInput(error_message=f"A port can carry at most {MOST_OPTIONS} extra DHCP options")
    return list(found.values())


def _check(option: dict[str, Any]) -> dict[str, Any]:
    name, value = option["opt_name"], option.get("opt_value")
    allowed = ALLOWED.get(name)
    if allowed is None:
        raise InvalidInput(error_message=f"DHCP option {name[:40]!a} is not allowed")
    if value is not None and not (value.isascii() and value.isprintable() and allowed(value)):
        raise InvalidInput(error_message=f"Invalid value for DHCP option {name}")
    return {"opt_name": name, "opt_value": value, "ip_version": int(option.get("ip_version") or 4)}
