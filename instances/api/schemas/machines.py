"""Schemas of services, hypervisors, hosts and aggregates."""

from __future__ import annotations

from computecloud.http.microversions import VersionedSchema
from instances.api.schemas.types import (
    BOOLEAN,
    HOST_NAME,
    LIMIT,
    LOOSE_NAME,
    METADATA_OR_NULL,
    NAME,
    QUERY_BOOLEAN,
    STRING,
    UUID,
    ZONE,
    Schema,
    wrapped,
)

_WORD: Schema = {"type": "string", "minLength": 1, "maxLength": 255}

# --- services: which verb stands in the path until 2.52, in the body from 2.53

_by_host: Schema = {
    "type": "object",
    "properties": {"host": HOST_NAME, "binary": _WORD, "disabled_reason": _WORD},
    "required": ["host", "binary"],
    "additionalProperties": False,
}
_by_uuid: Schema = {
    "type": "object",
    "properties": {
        "status": {"type": "string", "enum": ["enabled", "disabled"]},
        "disabled_reason": _WORD,
        "forced_down": BOOLEAN,
    },
    "additionalProperties": False,
}


def _with_forced_down(schema: Schema) -> None:
    schema["properties"]["forced_down"] = BOOLEAN


UPDATE_SERVICE = VersionedSchema(_by_host).amend("2.11", _with_forced_down).amend("2.53", lambda _: _by_uuid)
SERVICE_QUERY: dict[str, Schema] = {"host": STRING, "binary": STRING}

# --- hypervisors

HYPERVISOR_QUERY: dict[str, Schema] = {
    "limit": LIMIT,
    "marker": STRING,
    "hypervisor_hostname_pattern": HOST_NAME,
    "with_servers": QUERY_BOOLEAN,
}

# --- hosts

_switch: Schema = {"type": "string", "enum": ["enable", "disable", "Enable", "Disable", "ENABLE", "DISABLE"]}
UPDATE_HOST: Schema = {
    "type": "object",
    "properties": {"status": _switch, "maintenance_mode": _switch},
    "minProperties": 1,
    "additionalProperties": False,
}

# --- aggregates

_zone: Schema = {"oneOf": [ZONE, {"type": "null"}]}
CREATE_AGGREGATE = wrapped("aggregate", {"name": NAME, "availability_zone": _zone}, ("name",))
UPDATE_AGGREGATE = wrapped("aggregate", {"name": LOOSE_NAME, "availability_zone": _zone}, minProperties=1)

_host: Schema = {
    "type": "object",
    "properties": {"host": HOST_NAME},
    "required": ["host"],
    "additionalProperties": False,
}
ACT_ON_AGGREGATE: Schema = {
    "type": "object",
    "properties": {
        "add_host": _host,
        "remove_host": _host,
        "set_metadata": {
            "type": "object",
            "properties": {"metadata": METADATA_OR_NULL},
            "required": ["metadata"],
            "additionalProperties": False,
        },
    },
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
}
CACHE_IMAGES: Schema = {
    "type": "object",
    "properties": {
        "cache": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "properties": {"id": UUID},
                "required": ["id"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["cache"],
    "additionalProperties": False,
}
