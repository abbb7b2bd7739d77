"""Schemas of the actions that exist: the whole body of ``POST /servers/{id}/action``, by its one key."""

from __future__ import annotations

from computecloud.http.microversions import VersionedSchema
from instances.api.schemas.types import METADATA, NAME, UUID, Schema

PASSWORD: Schema = {"type": "string", "maxLength": 255}
NULL_OR_ANYTHING: Schema = {}
REASON: Schema = {
    "type": ["object", "null"],
    "properties": {"locked_reason": {"type": "string", "minLength": 1, "maxLength": 255}},
    "additionalProperties": False,
}


def body_of(key: str, words: Schema) -> Schema:
    """``{key: words}`` and nothing beside it."""
    return {"type": "object", "properties": {key: words}, "required": [key], "additionalProperties": False}


def anything(key: str) -> VersionedSchema:
    """An action without arguments: clients send null, and Nova takes anything."""
    return VersionedSchema(body_of(key, NULL_OR_ANYTHING))


def _object(properties: Schema, required: tuple[str, ...] = ()) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


REBOOT = VersionedSchema(
    body_of(
        "reboot",
        _object({"type": {"type": "string", "enum": ["HARD", "Hard", "hard", "SOFT", "Soft", "soft"]}}, ("type",)),
    )
)
_RESCUE: Schema = {"adminPass": PASSWORD, "rescue_image_ref": UUID}
RESCUE = VersionedSchema(body_of("rescue", {**_object(_RESCUE), "type": ["object", "null"]}))
CREATE_IMAGE = VersionedSchema(body_of("createImage", _object({"name": NAME, "metadata": METADATA}, ("name",))))
CONSOLE_OUTPUT = VersionedSchema(
    body_of(
        "os-getConsoleOutput",
        _object({"length": {"type": ["integer", "string", "null"], "pattern": "^-?[0-9]{1,9}$", "minimum": -1}}),
    )
)
LOCK = anything("lock").amend("2.73", lambda _: body_of("lock", REASON))
RESET_STATE = VersionedSchema(
    body_of("os-resetState", _object({"state": {"type": "string", "enum": ["active", "error"]}}, ("state",)))
)


def group(key: str) -> VersionedSchema:
    """A security group by name or id."""
    name: Schema = {"type": "string", "minLength": 1, "maxLength": 255}
    return VersionedSchema(body_of(key, _object({"name": name}, ("name",))))
