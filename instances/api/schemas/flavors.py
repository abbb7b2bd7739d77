"""Schemas of flavors, their extra specs and their access lists."""

from __future__ import annotations

from computecloud.http.microversions import VersionedSchema
from instances.api.schemas.types import BOOLEAN, LIMIT, NAME, STRING, TEXT_PATTERN, Schema, whole, wrapped

SORT_KEYS = {
    "created_at": "created_at",
    "description": "description",
    "disabled": "disabled",
    "ephemeral_gb": "ephemeral_gb",
    "flavorid": "id",
    "id": "created_at",
    "is_public": "is_public",
    "memory_mb": "ram_mb",
    "name": "name",
    "root_gb": "disk_gb",
    "rxtx_factor": "rxtx_factor",
    "swap": "swap_mb",
    "updated_at": "updated_at",
    "vcpu_weight": "id",
    "vcpus": "vcpus",
}
"""Nova's sort keys, as our columns."""

DESCRIPTION: Schema = {"type": ["string", "null"], "maxLength": 65535, "pattern": TEXT_PATTERN}
EXTRA_SPECS: Schema = {
    "type": "object",
    "patternProperties": {"^[a-zA-Z0-9-_:. ]{1,255}$": {"type": ["string", "number"], "maxLength": 255}},
    "additionalProperties": False,
}

_create = wrapped(
    "flavor",
    {
        "name": NAME,
        "id": {
            "type": ["string", "number", "null"],
            "minLength": 1,
            "maxLength": 255,
            "pattern": "^(?! )[a-zA-Z0-9. _-]+(?<! )$",
        },
        "ram": whole(1),
        "vcpus": whole(1),
        "disk": whole(0),
        "OS-FLV-EXT-DATA:ephemeral": whole(0),
        "swap": whole(0),
        "rxtx_factor": {
            "type": ["number", "string"],
            "pattern": r"^[0-9]+(\.[0-9]+)?$",
            "maxLength": 60,
            "exclusiveMinimum": 0,
            "maximum": 3.40282e38,
        },
        "os-flavor-access:is_public": BOOLEAN,
    },
    ("name", "ram", "vcpus", "disk"),
)


def _with_description(schema: Schema) -> None:
    schema["properties"]["flavor"]["properties"]["description"] = DESCRIPTION


def _without_rxtx(schema: Schema) -> None:
    del schema["properties"]["flavor"]["properties"]["rxtx_factor"]


CREATE = VersionedSchema(_create).amend("2.55", _with_description).amend("2.102", _without_rxtx)
UPDATE = wrapped("flavor", {"description": DESCRIPTION}, ("description",))

LIST_QUERY: dict[str, Schema] = {
    "limit": LIMIT,
    "marker": STRING,
    "is_public": STRING,
    "minRam": STRING,
    "minDisk": STRING,
    "sort_key": {"type": "string", "enum": list(SORT_KEYS)},
    "sort_dir": {"type": "string", "enum": ["asc", "desc"]},
}

CREATE_EXTRA_SPECS: Schema = {
    "type": "object",
    "properties": {"extra_specs": EXTRA_SPECS},
    "required": ["extra_specs"],
    "additionalProperties": False,
}
UPDATE_EXTRA_SPEC: Schema = EXTRA_SPECS | {"minProperties": 1, "maxProperties": 1}

_tenant: Schema = {
    "type": "object",
    "properties": {"tenant": {"type": "string", "minLength": 1, "maxLength": 255}},
    "required": ["tenant"],
    "additionalProperties": False,
}
ACTION: Schema = {
    "type": "object",
    "properties": {"addTenantAccess": _tenant, "removeTenantAccess": _tenant},
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
}
