"""Schemas of the calls that are forwarded to other services, up to 2.35 (image metadata: 2.38).

Nova never refused unknown fields here, so they are let through and ignored.
"""

from __future__ import annotations

from instances.api.schemas.types import LIMIT, METADATA, STRING, UUID, Schema, wrapped

_text: Schema = {"type": "string", "maxLength": 255}
_port: Schema = {"type": ["integer", "string", "null"], "maxLength": 10}

GROUP: Schema = {
    "type": "object",
    "properties": {
        "security_group": {
            "type": "object",
            "properties": {"name": _text, "description": _text},
            "required": ["name", "description"],
            "additionalProperties": True,
        }
    },
    "required": ["security_group"],
    "additionalProperties": True,
}
RULE: Schema = {
    "type": "object",
    "properties": {
        "security_group_rule": {
            "type": "object",
            "properties": {
                "parent_group_id": UUID,
                "group_id": {"anyOf": [UUID, {"type": "null"}]},
                "from_port": _port,
                "to_port": _port,
                "ip_protocol": {"type": ["string", "integer", "null"], "maxLength": 255},
                "cidr": {"type": ["string", "null"], "maxLength": 255},
            },
            "required": ["parent_group_id"],
            "additionalProperties": True,
        }
    },
    "required": ["security_group_rule"],
    "additionalProperties": True,
}
GROUP_QUERY: dict[str, Schema] = {"limit": LIMIT, "offset": LIMIT, "all_tenants": STRING}

IMAGE_QUERY: dict[str, Schema] = {
    "limit": LIMIT,
    "marker": STRING,
    "name": STRING,
    "status": STRING,
    "changes-since": STRING,
    "server": STRING,
    "type": STRING,
    "minRam": STRING,
    "minDisk": STRING,
}
IMAGE_METADATA: Schema = {
    "type": "object",
    "properties": {"metadata": METADATA},
    "required": ["metadata"],
    "additionalProperties": False,
}
IMAGE_METADATUM: Schema = wrapped("meta", {}) | {
    "properties": {"meta": METADATA | {"minProperties": 1, "maxProperties": 1}}
}
