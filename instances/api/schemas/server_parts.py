"""Schemas of what hangs below a server: metadata, tags, interfaces, actions' history."""

from __future__ import annotations

from computecloud.http.microversions import VersionedSchema
from instances.api.schemas.servers import IPV4, IPV6, MOST_TAGS, TAG
from instances.api.schemas.types import LIMIT, METADATA, STRING, UUID, Schema


def _only(name: str, words: Schema) -> Schema:
    return {"type": "object", "properties": {name: words}, "required": [name], "additionalProperties": False}


ALL_METADATA = _only("metadata", METADATA)
ONE_METADATA = _only("meta", {**METADATA, "minProperties": 1, "maxProperties": 1})
TAGS = _only("tags", {"type": "array", "items": TAG, "maxItems": MOST_TAGS})
HISTORY_QUERY: dict[str, Schema] = {
    "limit": LIMIT,
    "marker": STRING,
    "changes-since": {"type": "string", "maxLength": 64},
    "changes-before": {"type": "string", "maxLength": 64},
}
_WORD: Schema = {"type": "string", "maxLength": 255}
MIGRATIONS_QUERY: dict[str, Schema] = {
    **HISTORY_QUERY,
    "hidden": _WORD, "host": _WORD, "instance_uuid": _WORD, "source_compute": _WORD, "status": _WORD,
    "migration_type": _WORD, "user_id": _WORD, "project_id": _WORD,
}  # fmt: skip
VOLUMES_QUERY: dict[str, Schema] = {"limit": LIMIT, "offset": LIMIT}

_ADDRESS: Schema = {
    "type": "object",
    "properties": {"ip_address": {"type": "string", "maxLength": 45, "anyOf": [IPV4, IPV6]}},
    "required": ["ip_address"],
    "additionalProperties": False,
}
_INTERFACE: Schema = {
    "net_id": UUID,
    "port_id": UUID,
    "fixed_ips": {"type": "array", "minItems": 1, "maxItems": 1, "items": _ADDRESS},
}


def _allow_tag(schema: Schema) -> None:
    schema["properties"]["interfaceAttachment"]["properties"]["tag"] = TAG


ATTACH_INTERFACE = VersionedSchema({
    "type": "object",
    "properties": {
        "interfaceAttachment": {"type": "object", "properties": _INTERFACE, "additionalProperties": False},
    },
    "additionalProperties": False,
}).amend("2.49", _allow_tag)
