"""How rows are written for clients: plain dicts from ``values()``, what belongs to many rows fetched at once.

Attributes that only some may see are left out for the others. Source: Neutron's API reference.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from computecloud.core.actor import Actor
from computecloud.core.clock import iso
from computecloud.http import policy
from integrations.networks import tags
from integrations.networks.models import (
    FixedAddress,
    Network,
    Port,
    PortSecurityGroup,
    Router,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
    SubnetPool,
)

View = dict[str, Any]
_OWNED = ("id", "project_id", "name", "description", "created_at", "updated_at", "revision")
_NETWORK = (*_OWNED, "admin_state_up", "shared", "is_external", "port_security_enabled", "mtu", "segment")
_SUBNET = (
    *_OWNED, "network_id", "ip_version", "cidr", "gateway_ip", "enable_dhcp", "allocation_pools", "dns_nameservers",
    "host_routes", "ipv6_ra_mode", "ipv6_address_mode", "subnet_pool_id",
)  # fmt: skip
_PORT = (
    *_OWNED, "network_id", "mac_address", "admin_state_up", "status", "device_id", "device_owner",
    "port_security_enabled", "extra_dhcp_opts", "vnic_type", "profile", "host_name",
)  # fmt: skip
_RULE = (
    "id", "project_id", "description", "created_at", "updated_at", "revision", "group_id", "direction", "ethertype",
    "protocol", "port_range_min", "port_range_max", "remote_ip_prefix", "remote_group_id",
)  # fmt: skip


def _when(moment: datetime) -> str:
    return iso(moment) or ""


def _owned(row: View, words: Iterable[str]) -> View:
    return {
        "id": row["id"],
        "name": row["name"],
        "description": row["description"],
        "tenant_id": row["project_id"],
        "project_id": row["project_id"],
        "tags": list(words),
        "created_at": _when(row["created_at"]),
        "updated_at": _when(row["updated_at"]),
        "revision_number": row["revision"],
    }


def _in_order(ids: Sequence[str], rows: Iterable[View]) -> list[View]:
    found = {row["id"]: row for row in rows}
    return [found[one] for one in ids if one in found]


def networks(actor: Actor, ids: Sequence[str]) -> list[View]:
    """Networks in the order of ``ids``; three queries."""
    rows = _in_order(ids, Network.objects.filter(id__in=ids).values(*_NETWORK))
    words = tags.of("networks", ids)
    inside: dict[str, list[str]] = defaultdict(list)
    for network_id, subnet_id in Subnet.objects.filter(network_id__in=ids).values_list("network_id", "id"):
        inside[network_id].append(subnet_id)
    sees_segment = policy.allows(actor, "get_network:provider")
    return [_network(row, words[row["id"]], inside[row["id"]], sees_segment) for row in rows]


def _network(row: View, words: Sequence[str], inside: Sequence[str], sees_segment: bool) -> View:
    view = _owned(row, words) | {
        "admin_state_up": row["admin_state_up"],
        "status": "ACTIVE" if row["admin_state_up"] else "DOWN",
        "shared": row["shared"],
        "router:external": row["is_external"],
        "port_security_enabled": row["port_security_enabled"],
        "mtu": row["mtu"],
        "subnets": list(inside),
    }
    if sees_segment:
        view |= {
            "provider:network_type": "vxlan",
            "provider:physical_network": None,
            "provider:segmentation_id": row["segment"],
        }
    return view


def subnets(actor: Actor, ids: Sequence[str]) -> list[View]:
    """Subnets in the order of ``ids``; two queries."""
    rows = _in_order(ids, Subnet.objects.filter(id__in=ids).values(*_SUBNET))
    words = tags.of("subnets", ids)
    return [
        _owned(row, words[row["id"]])
        | {name: row[name] for name in _SUBNET[len(_OWNED) : -1]}
        | {"subnetpool_id": row["subnet_pool_id"]}
        for row in rows
    ]


def subnet_pools(actor: Actor, ids: Sequence[str]) -> list[View]:
    """Subnet pools in the order of ``ids``; two queries."""
    columns = ("ip_version", "prefixes", "default_prefixlen", "min_prefixlen", "max_prefixlen", "shared", "is_default")
    rows = _in_order(ids, SubnetPool.objects.filter(id__in=ids).values(*_OWNED, *columns))
    words = tags.of("subnetpools", ids)
    return [
        _owned(row, words[row["id"]])
        | {name: row[name] for name in columns}
        | {"default_quota": None, "address_scope_id": None}
        for row in rows
    ]


def ports(actor: Actor, ids: Sequence[str]) -> list[View]:
    """Ports in the order of ``ids``; four queries."""
    rows = _in_order(ids, Port.objects.filter(id__in=ids).values(*_PORT))
    words = tags.of("ports", ids)
    fixed: dict[str, list[View]] = defaultdict(list)
    addresses = FixedAddress.objects.filter(port_id__in=ids).order_by("id")
    for port_id, subnet_id, address in addresses.values_list("port_id", "subnet_id", "address"):
        fixed[port_id].append({"subnet_id": subnet_id, "ip_address": address})
    groups: dict[str, list[str]] = defaultdict(list)
    for port_id, group_id in PortSecurityGroup.objects.filter(port_id__in=ids).values_list("port_id", "group_id"):
        groups[port_id].append(group_id)
    sees_binding = policy.allows(actor, "get_port:binding")
    return [_port(row, words[row["id"]], fixed[row["id"]], groups[row["id"]], sees_binding) for row in rows]


def _port(row: View, words: Sequence[str], fixed: list[View], groups: list[str], sees_binding: bool) -> View:
    view = _owned(row, words) | {
        "network_id": row["network_id"],
        "mac_address": row["mac_address"],
        "admin_state_up": row["admin_state_up"],
        "status": row["status"],
        "device_id": row["device_id"],
        "device_owner": row["device_owner"],
        "fixed_ips": fixed,
        "security_groups": groups,
        "port_security_enabled": row["port_security_enabled"],
        "extra_dhcp_opts": row["extra_dhcp_opts"],
        "binding:vnic_type": row["vnic_type"],
    }
    if sees_binding:
        bound = bool(row["host_name"])
        view |= {
            "binding:host_id": row["host_name"],
            "binding:profile": row["profile"],
            "binding:vif_type": "bridge" if bound else "unbound",
            "binding:vif_details": {"port_filter": False, "connectivity": "l2"} if bound else {},
        }
    return view


def routers(actor: Actor, ids: Sequence[str]) -> list[View]:
    """Routers in the order of ``ids``; two queries."""
    rows = _in_order(ids, Router.objects.filter(id__in=ids).values(*_OWNED, "admin_state_up"))
    words = tags.of("routers", ids)
    return [
        _owned(row, words[row["id"]])
        | {
            "admin_state_up": row["admin_state_up"],
            "status": "ACTIVE",
            "external_gateway_info": None,
            "routes": [],
        }
        for row in rows
    ]


def security_groups(actor: Actor, ids: Sequence[str]) -> list[View]:
    """Groups with their rules, in the order of ``ids``; three queries."""
    rows = _in_order(ids, SecurityGroup.objects.filter(id__in=ids).values(*_OWNED))
    words = tags.of("security-groups", ids)
    inside: dict[str, list[View]] = defaultdict(list)
    for rule in SecurityGroupRule.objects.filter(group_id__in=ids).values(*_RULE):
        inside[rule["group_id"]].append(_rule(rule))
    return [
        _owned(row, words[row["id"]]) | {"stateful": True, "security_group_rules": inside[row["id"]]} for row in rows
    ]


def rules(actor: Actor, ids: Sequence[str]) -> list[View]:
    """Rules in the order of ``ids``; one query."""
    return [_rule(row) for row in _in_order(ids, SecurityGroupRule.objects.filter(id__in=ids).values(*_RULE))]


def _rule(row: View) -> View:
    return {
        "id": row["id"],
        "tenant_id": row["project_id"],
        "project_id": row["project_id"],
        "security_group_id": row["group_id"],
        "direction": row["direction"],
        "ethertype": row["ethertype"],
        "protocol": row["protocol"],
        "port_range_min": row["port_range_min"],
        "port_range_max": row["port_range_max"],
        "remote_ip_prefix": row["remote_ip_prefix"],
        "remote_group_id": row["remote_group_id"],
        "description": row["description"],
        "created_at": _when(row["created_at"]),
        "updated_at": _when(row["updated_at"]),
        "revision_number": row["revision"],
    }
