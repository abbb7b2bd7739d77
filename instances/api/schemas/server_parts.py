"""Schemas of what hangs below a server: metadata, tags, interfaces, actions' history."""

from __future__ import annotations

from instances.api.schemas.servers import MOST_TAGS, TAG
from instances.api.schemas.types import LIMIT, METADATA, STRING, Schema


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
