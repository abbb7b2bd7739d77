"""What a security group rule may say, checked strictly (S57) and brought to one form. Pure functions.

Source: https://docs.openstack.org/api-ref/network/v2/#security-group-rules-security-group-rules
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_interface
from typing import Any, Protocol

from integrations.networks.errors import (
    InvalidCIDR,
    SecurityGroupEthertypeConflictWithProtocol,
    SecurityGroupInvalidIcmpValue,
    SecurityGroupInvalidPortRange,
    SecurityGroupInvalidPortValue,
    SecurityGroupInvalidProtocolForPort,
    SecurityGroupMissingIcmpType,
    SecurityGroupProtocolRequiredWithPorts,
    SecurityGroupRemoteGroupAndRemoteIpPrefix,
    SecurityGroupRuleInvalidEtherType,
    SecurityGroupRuleInvalidProtocol,
    SecurityGroupRuleParameterConflict,
)

ETHERTYPES = ("IPv4", "IPv6")
PROTOCOLS = {
    "ah": 51, "dccp": 33, "egp": 8, "esp": 50, "gre": 47, "icmp": 1, "icmpv6": 58, "igmp": 2, "ipip": 4,
    "ipv6-encap": 41, "ipv6-frag": 44, "ipv6-icmp": 58, "ipv6-nonxt": 59, "ipv6-opts": 60, "ipv6-route": 43,
    "ospf": 89, "pgm": 113, "rsvp": 46, "sctp": 132, "tcp": 6, "udp": 17, "udplite": 136, "vrrp": 112,
}  # fmt: skip
WITH_PORTS = {PROTOCOLS[name] for name in ("tcp", "udp", "sctp", "dccp", "udplite")}
ICMP, ICMPV6 = PROTOCOLS["icmp"], PROTOCOLS["ipv6-icmp"]
ONLY_IPV6 = {PROTOCOLS[name] for name in PROTOCOLS if name.startswith("ipv6-")}
EVERYWHERE = ("0.0.0.0/0", "::/0")


class Ruled(Protocol):
    """The columns of a rule that decide what it matches."""

    direction: str
    ethertype: str
    protocol: str | None
    port_range_min: int | None
    port_range_max: int | None
    remote_ip_prefix: str | None
    remote_group_id: str | None


@dataclass(frozen=True, slots=True)
class RuleText:
    """A rule as asked for, valid and in canonical form."""

    direction: str
    ethertype: str
    protocol: str | None
    port_range_min: int | None
    port_range_max: int | None
    remote_ip_prefix: str | None
    remote_group_id: str | None
    description: str = ""


def parse(wanted: dict[str, Any]) -> RuleText:
    """A rule from a request body whose types are right already. Raises the errors of this service."""
    rule = RuleText(
        direction=wanted["direction"],
        ethertype=_ethertype(wanted.get("ethertype")),
        protocol=_protocol(wanted.get("protocol")),
        port_range_min=_port(wanted.get("port_range_min")),
        port_range_max=_port(wanted.get("port_range_max")),
        remote_ip_prefix=_prefix(wanted.get("remote_ip_prefix")),
        remote_group_id=wanted.get("remote_group_id"),
        description=wanted.get("description") or "",
    )
    _check_ports(rule)
    _check_family(rule)
    if rule.remote_ip_prefix and rule.remote_group_id:
        raise SecurityGroupRemoteGroupAndRemoteIpPrefix
    return rule


def protocol_number(protocol: str | None, ethertype: str) -> int | None:
    """The protocol's number; ``icmp`` of an IPv6 rule means ICMPv6, as in Neutron."""
    if protocol is None:
        return None
    number = int(protocol) if protocol.isdigit() else PROTOCOLS[protocol]
    return ICMPV6 if number == ICMP and ethertype == "IPv6" else number


def fingerprint(rule: Ruled) -> str:
    """One text for all ways to write the same rule."""
    prefix = None if rule.remote_ip_prefix in EVERYWHERE else rule.remote_ip_prefix
    network = str(ip_interface(prefix).network) if prefix else None
    number = protocol_number(rule.protocol, rule.ethertype)
    parts = (
        rule.direction, rule.ethertype, number, rule.port_range_min, rule.port_range_max, network, rule.remote_group_id
    )  # fmt: skip
    return "|".join("+" if part is None else str(part) for part in parts)


def _ethertype(text: str | None) -> str:
    for known in ETHERTYPES:
        if (text or "IPv4").lower() == known.lower():
            return known
    raise SecurityGroupRuleInvalidEtherType(ethertype=text, values=list(ETHERTYPES))


def _protocol(value: str | int | float | None) -> str | None:
    if value is None or value in ("", "any"):
        return None
    text = str(int(value)) if isinstance(value, int | float) else value.lower()
    if text in PROTOCOLS or (text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= 255):
        return text if text in PROTOCOLS else str(int(text))
    raise SecurityGroupRuleInvalidProtocol(protocol=text[:40], values=sorted(PROTOCOLS))


def _port(value: str | int | float | None) -> int | None:
    if value is None:
        return None
    try:
        number = int(value)
    except ValueError:
        raise SecurityGroupInvalidPortValue(port=str(value)[:20]) from None
    if not 0 <= number <= 65535:
        raise SecurityGroupInvalidPortValue(port=number)
    return number


def _prefix(text: str | None) -> str | None:
    if text is None:
        return None
    address, slash, length = text.partition("/")
    try:
        if "%" in text or (slash and not (length.isascii() and length.isdigit())) or address.isdigit():
            raise ValueError(text)
        return str(ip_interface(text))
    except ValueError:
        raise InvalidCIDR(input=text[:64]) from None


def _check_ports(rule: RuleText) -> None:
    low, high = rule.port_range_min, rule.port_range_max
    if low is None and high is None:
        return
    number = protocol_number(rule.protocol, rule.ethertype)
    if number is None:
        raise SecurityGroupProtocolRequiredWithPorts
    if number in WITH_PORTS:
        if 0 in (low, high):
            raise SecurityGroupInvalidPortValue(port=0)
        if low is None or high is None or low > high:
            raise SecurityGroupInvalidPortRange
    elif number in (ICMP, ICMPV6):
        _check_icmp(low, high)
    else:
        raise SecurityGroupInvalidProtocolForPort(protocol=rule.protocol)


def _check_icmp(kind: int | None, code: int | None) -> None:
    for field, attr, value in (("type", "port-range-min", kind), ("code", "port-range-max", code)):
        if value is not None and value > 255:
            raise SecurityGroupInvalidIcmpValue(field=field, attr=attr, value=value)
    if kind is None:
        raise SecurityGroupMissingIcmpType(value=code)


def _check_family(rule: RuleText) -> None:
    if rule.ethertype == "IPv4" and protocol_number(rule.protocol, rule.ethertype) in ONLY_IPV6:
        raise SecurityGroupEthertypeConflictWithProtocol(ethertype=rule.ethertype, protocol=rule.protocol)
    if rule.remote_ip_prefix and f"IPv{ip_interface(rule.remote_ip_prefix).version}" != rule.ethertype:
        raise SecurityGroupRuleParameterConflict(ethertype=rule.ethertype, cidr=rule.remote_ip_prefix)
