"""Schemas of server groups: a list of one policy until 2.63, one policy with rules from 2.64."""

from __future__ import annotations

from computecloud.http.microversions import VersionedSchema
from instances.api.schemas.types import LIMIT, NAME, STRING, Schema, wrapped

HARD = ["anti-affinity", "affinity"]
SOFT = ["soft-anti-affinity", "soft-affinity"]


def _policies(words: list[str]) -> Schema:
    return {"type": "array", "items": {"type": "string", "enum": words}, "minItems": 1, "maxItems": 1}


def _with_soft(schema: Schema) -> None:
    schema["properties"]["server_group"]["properties"]["policies"] = _policies(HARD + SOFT)


def _one_policy(schema: Schema) -> Schema:
    rules = {
        "type": "object",
        "properties": {
            "max_server_per_host": {
                "type": ["integer", "string"], "pattern": "^0*[1-9][0-9]{0,8}$", "minimum": 1, "maximum": 10**9
            }
        },
        "additionalProperties": False,
    }  # fmt: skip
    policy = {"type": "string", "enum": HARD + SOFT}
    return wrapped("server_group", {"name": NAME, "policy": policy, "rules": rules}, ("name", "policy"))


CREATE = (
    VersionedSchema(wrapped("server_group", {"name": NAME, "policies": _policies(HARD)}, ("name", "policies")))
    .amend("2.15", _with_soft)
    .amend("2.64", _one_policy)
)
LIST_QUERY: dict[str, Schema] = {"all_projects": STRING, "limit": LIMIT, "offset": LIMIT}
