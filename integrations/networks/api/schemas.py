"""JSON Schemas of what the Network API accepts. Unknown attributes are refused; each verb lists its own."""

from __future__ import annotations

from computecloud.http.microversions import Schema

NAME: Schema = {"type": "string", "maxLength": 255}
NULLABLE_NAME: Schema = {"type": ["string", "null"], "maxLength": 255}
ID: Schema = {"type": "string", "maxLength": 64}
NULLABLE_ID: Schema = {"type": ["string", "null"], "maxLength": 64}
BOOLEAN: Schema = {"type": "boolean"}
ADDRESS: Schema = {"type": "string", "maxLength": 64}
NULLABLE_ADDRESS: Schema = {"type": ["string", "null"], "maxLength": 64}
TAG: Schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[^,/]+$"}
COMMON = {"name": NAME, "description": NAME}
OWNER = {"project_id": ID, "tenant_id": ID}
BULK = 100


def one(name: str, properties: Schema, required: tuple[str, ...] = ()) -> Schema:
    """``{name: {...}}``."""
    inner = {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}
    return {"type": "object", "properties": {name: inner}, "required": [name], "additionalProperties": False}


def one_or_many(name: str, names: str, properties: Schema, required: tuple[str, ...] = ()) -> Schema:
    """``{name: {...}}`` or ``{names: [{...}, ...]}``."""
    inner = {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}
    many = {"type": "array", "items": inner, "minItems": 1, "maxItems": BULK}
    return {
        "type": "object",
        "properties": {name: inner, names: many},
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    }


_NETWORK = {
    **COMMON,
    "admin_state_up": BOOLEAN,
    "shared": BOOLEAN,
    "router:external": BOOLEAN,
    "port_security_enabled": BOOLEAN,
    "mtu": {"type": ["integer", "string"], "minimum": 0, "maximum": 65535, "pattern": "^[0-9]{1,5}$"},
}
_PROVIDER = {
    "provider:network_type": {"enum": ["vxlan", None]},
    "provider:physical_network": {"type": "null"},
    "provider:segmentation_id": {
        "type": ["integer", "string", "null"],  # the openstack command sends text
        "minimum": 1,
        "maximum": 16777215,
        "pattern": "^[1-9][0-9]{0,7}$",
    },
}
NETWORK_CREATE = one_or_many("network", "networks", {**_NETWORK, **OWNER, **_PROVIDER})
NETWORK_UPDATE = one("network", _NETWORK)

_POOL = {
    "type": "object",
    "properties": {"start": ADDRESS, "end": ADDRESS},
    "required": ["start", "end"],
    "additionalProperties": False,
}
_ROUTE = {
    "type": "object",
    "properties": {"destination": ADDRESS, "nexthop": ADDRESS},
    "required": ["destination", "nexthop"],
    "additionalProperties": False,
}
_IPV6_MODE = {"enum": ["slaac", "dhcpv6-stateful", "dhcpv6-stateless", None]}
_SUBNET = {
    **COMMON,
    "gateway_ip": NULLABLE_ADDRESS,
    "enable_dhcp": BOOLEAN,
    "allocation_pools": {"type": ["array", "null"], "items": _POOL, "maxItems": 16},
    "dns_nameservers": {"type": ["array", "null"], "items": ADDRESS, "maxItems": 64},
    "host_routes": {"type": ["array", "null"], "items": _ROUTE, "maxItems": 64},
}
SUBNET_CREATE = one_or_many(
    "subnet",
    "subnets",
    {
        **_SUBNET,
        **OWNER,
        "network_id": ID,
        "cidr": ADDRESS,
        "ip_version": {"enum": [4, 6]},
        "ipv6_ra_mode": _IPV6_MODE,
        "ipv6_address_mode": _IPV6_MODE,
        "subnetpool_id": NULLABLE_ID,
        "use_default_subnetpool": BOOLEAN,
        "prefixlen": {"type": ["integer", "string"], "minimum": 1, "maximum": 128, "pattern": "^[1-9][0-9]{0,2}$"},
    },
    ("network_id",),
)
SUBNET_UPDATE = one("subnet", _SUBNET)

_LENGTH = {"type": ["integer", "string"], "minimum": 1, "maximum": 128, "pattern": "^[1-9][0-9]{0,2}$"}
_SUBNET_POOL = {
    **COMMON,
    "prefixes": {"type": "array", "items": ADDRESS, "minItems": 1, "maxItems": 64},
    "min_prefixlen": _LENGTH,
    "max_prefixlen": _LENGTH,
    "default_prefixlen": _LENGTH,
    "is_default": BOOLEAN,
    "default_quota": {"type": "null"},
    "address_scope_id": {"type": "null"},
}
SUBNET_POOL_CREATE = one_or_many(
    "subnetpool", "subnetpools", {**_SUBNET_POOL, **OWNER, "shared": BOOLEAN}, ("name", "prefixes")
)
SUBNET_POOL_UPDATE = one("subnetpool", _SUBNET_POOL)

_FIXED_IP = {
    "type": "object",
    "properties": {"subnet_id": ID, "ip_address": ADDRESS},
    "minProperties": 1,
    "additionalProperties": False,
}
_DHCP_OPTION = {
    "type": "object",
    "properties": {
        "opt_name": {"type": "string", "maxLength": 64},
        "opt_value": {"type": ["string", "null"], "maxLength": 255},
        "ip_version": {"enum": [4, 6, "4", "6"]},
    },
    "required": ["opt_name"],
    "additionalProperties": False,
}
_PORT = {
    **COMMON,
    "admin_state_up": BOOLEAN,
    "mac_address": {
        "type": "string",
        "pattern": "^(?!00:00:00:00:00:00$)[0-9a-fA-F][02468aceACE](:[0-9a-fA-F]{2}){5}$",
    },
    "fixed_ips": {"type": "array", "items": _FIXED_IP, "maxItems": 64},
    "security_groups": {"type": ["array", "null"], "items": ID, "maxItems": 20},
    "device_id": NAME,
    "device_owner": NAME,
    "port_security_enabled": BOOLEAN,
    "extra_dhcp_opts": {"type": ["array", "null"], "items": _DHCP_OPTION, "maxItems": 64},
    "binding:host_id": NULLABLE_NAME,
    "binding:profile": {"type": ["object", "null"], "maxProperties": 32},
    "binding:vnic_type": {"enum": ["normal"]},
}
PORT_CREATE = one_or_many("port", "ports", {**_PORT, **OWNER, "network_id": ID}, ("network_id",))
PORT_UPDATE = one("port", _PORT)

GROUP_CREATE = one_or_many("security_group", "security_groups", {**COMMON, **OWNER})
GROUP_UPDATE = one("security_group", COMMON)
_NUMBER = {"type": ["integer", "string", "null"], "maxLength": 20}
RULE_CREATE = one_or_many(
    "security_group_rule",
    "security_group_rules",
    {
        **OWNER,
        "description": NULLABLE_NAME,
        "security_group_id": ID,
        "direction": {"enum": ["ingress", "egress"]},
        "ethertype": {"type": ["string", "null"], "maxLength": 40},
        "protocol": {"type": ["integer", "string", "null"], "maxLength": 40},
        "port_range_min": _NUMBER,
        "port_range_max": _NUMBER,
        "remote_ip_prefix": NULLABLE_ADDRESS,
        "remote_group_id": NULLABLE_ID,
        "remote_address_group_id": {"type": "null"},
    },
    ("security_group_id", "direction"),
)

_GATEWAY = {
    "type": ["object", "null"],
    "properties": {
        "network_id": NULLABLE_ID,
        "enable_snat": BOOLEAN,
        "external_fixed_ips": {"type": "array", "maxItems": 16},
    },
    "additionalProperties": False,
}
_ROUTER = {**COMMON, "admin_state_up": BOOLEAN, "external_gateway_info": _GATEWAY}
ROUTER_CREATE = one_or_many("router", "routers", {**_ROUTER, **OWNER})
ROUTER_UPDATE = one("router", _ROUTER)
ROUTER_INTERFACE: Schema = {
    "type": "object",
    "properties": {"subnet_id": ID, "port_id": ID},
    "minProperties": 1,
    "additionalProperties": False,
}

QUOTA_NAMES = ("network", "subnet", "subnetpool", "port", "router", "security_group", "security_group_rule")
_LIMIT = {"type": "integer", "minimum": -1, "maximum": 2147483647}
QUOTA_UPDATE = one(
    "quota",
    {
        **dict.fromkeys(QUOTA_NAMES, _LIMIT),
        **OWNER,
        "check_limit": BOOLEAN,
        "force": BOOLEAN,
    },
)
TAGS: Schema = {
    "type": "object",
    "properties": {"tags": {"type": "array", "items": TAG, "maxItems": 200}},
    "required": ["tags"],
    "additionalProperties": False,
}
ANYTHING: Schema = {}
