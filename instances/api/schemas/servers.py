"""Schemas of servers: create, update, and what a list may be asked."""

from __future__ import annotations

from collections.abc import Callable

from computecloud.http.microversions import VersionedSchema
from instances.api.schemas.types import (
    BOOLEAN,
    HOST_NAME,
    LIMIT,
    METADATA,
    NAME,
    STRING,
    TEXT_PATTERN,
    UUID,
    Schema,
    wrapped,
)

MOST_TAGS = 50
MOST_NETWORKS = 64
MOST_DEVICES = 64
IPV4: Schema = {"type": "string", "format": "ipv4"}
IPV6: Schema = {"type": "string", "format": "ipv6"}
IP: Schema = {"type": "string", "oneOf": [{"format": "ipv4"}, {"format": "ipv6"}]}
TAG: Schema = {"type": "string", "minLength": 1, "maxLength": 60, "pattern": "^[^,/]*$"}
DISK_CONFIG: Schema = {"type": "string", "enum": ["AUTO", "MANUAL"]}
DESCRIPTION: Schema = {"type": ["string", "null"], "maxLength": 255, "pattern": TEXT_PATTERN}
HOSTNAME: Schema = {
    "type": "string", "minLength": 2, "maxLength": 63, "pattern": "^[a-zA-Z0-9]+[a-zA-Z0-9-]*[a-zA-Z0-9]+$",
}  # fmt: skip
COUNT: Schema = {"type": ["integer", "string"], "pattern": "^[0-9]{1,9}$", "minimum": 1, "maximum": 999_999_999}
SIZE: Schema = {"type": ["integer", "string"], "pattern": "^[0-9]{1,9}$", "minimum": 1, "maximum": 0x7FFFFFFF}
TRUSTED: Schema = {
    "type": ["array", "null"], "minItems": 1, "maxItems": 50, "uniqueItems": True,
    "items": {"type": "string", "minLength": 1, "maxLength": 255},
}  # fmt: skip
PERSONALITY: Schema = {
    "type": "array",
    "items": {"type": "object", "properties": {"path": STRING, "contents": STRING}, "additionalProperties": False},
}
USER_DATA: Schema = {"type": "string", "maxLength": 65535}  # base64; decoded in server_create

_OLD_DEVICE: Schema = {
    "virtual_name": {"type": "string", "maxLength": 255},
    "volume_id": UUID,
    "snapshot_id": UUID,
    "volume_size": SIZE,
    "device_name": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[a-zA-Z0-9._/-]*$"},
    "delete_on_termination": BOOLEAN,
    "no_device": {},
    "connection_info": {"type": "string", "maxLength": 65535},
}
_DEVICE: Schema = {
    **_OLD_DEVICE,
    "source_type": {"type": "string", "enum": ["volume", "image", "snapshot", "blank"]},
    "uuid": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[a-zA-Z0-9._-]*$"},
    "image_id": UUID,
    "destination_type": {"type": "string", "enum": ["local", "volume"]},
    "guest_format": {"type": "string", "maxLength": 255},
    "device_type": {"type": "string", "maxLength": 255},
    "disk_bus": {"type": "string", "maxLength": 255},
    "boot_index": {"type": ["integer", "string", "null"], "pattern": "^-?[0-9]{1,9}$"},
}
_SERVER_IDS: Schema = {"oneOf": [UUID, {"type": "array", "maxItems": 100, "items": UUID}]}
_HINTS: Schema = {
    "type": "object",
    "maxProperties": 32,
    "properties": {
        "group": {"oneOf": [UUID, {"type": "array", "maxItems": 1, "items": UUID}]},
        "different_host": _SERVER_IDS,
        "same_host": _SERVER_IDS,
        "query": {"type": ["string", "object"], "maxLength": 2048},
        "target_cell": NAME,
        "different_cell": {"type": ["string", "array"], "items": STRING, "maxItems": 100, "maxLength": 255},
        "build_near_host_ip": IP,
        "cidr": {"type": "string", "pattern": "^/[0-9a-f.:]+$", "maxLength": 64},
    },
    "additionalProperties": True,
}


def _list_of(properties: Schema, most: int) -> Schema:
    return {
        "type": "array",
        "maxItems": most,
        "items": {"type": "object", "properties": properties, "additionalProperties": False},
    }


_NETWORK: Schema = {
    "fixed_ip": IP, "port": {"oneOf": [UUID, {"type": "null"}]}, "uuid": {"type": "string", "maxLength": 255},
}  # fmt: skip
FLAVOR_REF: Schema = {"type": ["string", "integer"], "minLength": 1, "maxLength": 255}
_SERVER: Schema = {
    "name": NAME,
    "imageRef": {"oneOf": [UUID, {"type": "string", "maxLength": 0}]},
    "flavorRef": FLAVOR_REF,
    "adminPass": {"type": "string", "maxLength": 255},
    "metadata": METADATA,
    "networks": _list_of(_NETWORK, MOST_NETWORKS),
    "OS-DCF:diskConfig": DISK_CONFIG,
    "accessIPv4": IPV4,
    "accessIPv6": IPV6,
    "personality": PERSONALITY,
    "availability_zone": NAME,
    "block_device_mapping": _list_of(_OLD_DEVICE, MOST_DEVICES),
    "block_device_mapping_v2": _list_of(_DEVICE, MOST_DEVICES),
    "config_drive": BOOLEAN,
    "key_name": NAME,
    "min_count": COUNT,
    "max_count": COUNT,
    "return_reservation_id": BOOLEAN,
    "security_groups": _list_of({"name": NAME}, 64),
    "user_data": USER_DATA,
}


def _server(schema: Schema) -> Schema:
    found: Schema = schema["properties"]["server"]
    return found


def _allow(**properties: Schema) -> Callable[[Schema], None]:
    """An amendment that adds fields of the server."""

    def amend(schema: Schema) -> None:
        _server(schema)["properties"].update(properties)

    return amend


def _label_networks(schema: Schema) -> None:
    networks = _server(schema)["properties"]["networks"]
    lists = networks.get("oneOf", [networks])
    lists[0]["items"]["properties"]["tag"] = TAG


def _device_field(schema: Schema, name: str, words: Schema | None) -> None:
    fields = _server(schema)["properties"]["block_device_mapping_v2"]["items"]["properties"]
    fields.pop(name, None)
    if words is not None:
        fields[name] = words


def _label_both(schema: Schema) -> None:
    _label_networks(schema)
    _device_field(schema, "tag", TAG)


def _forget_device_tags(schema: Schema) -> None:
    _device_field(schema, "tag", None)


def _need_networks(schema: Schema) -> None:
    """2.37: a list or a word, and ids that are UUIDs; network tags were lost by mistake until 2.42."""
    server = _server(schema)
    server["required"] = [*server["required"], "networks"]
    strict = {**_NETWORK, "uuid": UUID}
    server["properties"]["networks"] = {
        "oneOf": [_list_of(strict, MOST_NETWORKS), {"type": "string", "enum": ["none", "auto"]}]
    }


def _no_personality(schema: Schema) -> None:
    del _server(schema)["properties"]["personality"]


def _volume_type(schema: Schema) -> None:
    _device_field(schema, "volume_type", {"type": ["string", "null"], "maxLength": 255})


def _base() -> Schema:
    schema = wrapped("server", _SERVER, ("name", "flavorRef"))
    schema["properties"] |= {"os:scheduler_hints": _HINTS, "OS-SCH-HNT:scheduler_hints": _HINTS}
    return schema


CREATE = (
    VersionedSchema(_base())
    .amend("2.19", _allow(description=DESCRIPTION))
    .amend("2.32", _label_both)
    .amend("2.33", _forget_device_tags)
    .amend("2.37", _need_networks)
    .amend("2.42", _label_both)
    .amend("2.52", _allow(tags={"type": "array", "items": TAG, "maxItems": MOST_TAGS}))
    .amend("2.57", _no_personality)
    .amend("2.63", _allow(trusted_image_certificates=TRUSTED))
    .amend("2.67", _volume_type)
    .amend("2.74", _allow(host=HOST_NAME, hypervisor_hostname=HOST_NAME))
    .amend("2.90", _allow(hostname=HOSTNAME))
    .amend("2.94", _allow(hostname=HOST_NAME))
)

UPDATE = (
    VersionedSchema(
        wrapped(
            "server", {"name": NAME, "OS-DCF:diskConfig": DISK_CONFIG, "accessIPv4": IPV4, "accessIPv6": IPV6}
        )
    )
    .amend("2.19", _allow(description=DESCRIPTION))
    .amend("2.90", _allow(hostname=HOSTNAME))
    .amend("2.94", _allow(hostname=HOST_NAME))
    .amend("2.104", _allow(pinned_availability_zone={"type": ["string", "null"], "minLength": 1, "maxLength": 255}))
)

# --- what a list may be asked: every name that any version knows (server_filters knows since when)

_TEXT: Schema = {"type": "string", "maxLength": 255}
_TAG_LIST: Schema = {"type": "string", "maxLength": 4096}
FILTERS = (
    "user_id", "project_id", "tenant_id", "launch_index", "image_ref", "image", "kernel_id", "ramdisk_id", "hostname",
    "key_name", "power_state", "vm_state", "task_state", "host", "node", "flavor", "reservation_id", "launched_at",
    "terminated_at", "availability_zone", "name", "display_name", "description", "display_description", "locked_by",
    "uuid", "root_device_name", "config_drive", "access_ip_v4", "access_ip_v6", "auto_disk_config", "progress",
    "all_tenants", "soft_deleted", "deleted", "status", "changes-since", "ip", "ip6", "created_at",
)  # fmt: skip
TAG_FILTERS = ("tags", "tags-any", "not-tags", "not-tags-any")
JOINED = (
    "block_device_mapping", "services", "metadata", "system_metadata", "info_cache", "security_groups", "pci_devices",
)  # fmt: skip
LIST_QUERY: dict[str, Schema] = {
    **dict.fromkeys((*FILTERS, *JOINED, "locked"), _TEXT),
    **dict.fromkeys(TAG_FILTERS, _TAG_LIST),
    "changes-before": _TEXT,
    "limit": LIMIT,
    "marker": STRING,
    "sort_key": STRING,
    "sort_dir": STRING,
}
