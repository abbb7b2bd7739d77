"""Schemas of the actions that exist: the whole body of ``POST /servers/{id}/action``, by its one key."""

from __future__ import annotations

from collections.abc import Callable

from computecloud.http.microversions import VersionedSchema
from instances.api.schemas.servers import (
    DESCRIPTION,
    DISK_CONFIG,
    FLAVOR_REF,
    HOSTNAME,
    IPV4,
    IPV6,
    PERSONALITY,
    TRUSTED,
    USER_DATA,
)
from instances.api.schemas.types import BOOLEAN, HOST_NAME, METADATA, NAME, UUID, Schema, whole

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


CHANGE_PASSWORD = VersionedSchema(body_of("changePassword", _object({"adminPass": PASSWORD}, ("adminPass",))))
REBOOT = VersionedSchema(
    body_of(
        "reboot",
        _object({"type": {"type": "string", "enum": ["HARD", "Hard", "hard", "SOFT", "Soft", "soft"]}}, ("type",)),
    )
)
_RESCUE: Schema = {"adminPass": PASSWORD, "rescue_image_ref": UUID}
RESCUE = VersionedSchema(body_of("rescue", {**_object(_RESCUE), "type": ["object", "null"]}))


def _allow(**fields: Schema) -> Callable[[Schema], None]:
    """An amendment that adds fields of the rebuild."""
    return lambda schema: schema["properties"]["rebuild"]["properties"].update(fields)


def _user_data_instead_of_files(schema: Schema) -> None:
    fields = schema["properties"]["rebuild"]["properties"]
    del fields["personality"]
    fields["user_data"] = {**USER_DATA, "type": ["string", "null"]}


_REBUILD: Schema = {
    "imageRef": UUID,
    "name": NAME,
    "adminPass": PASSWORD,
    "metadata": METADATA,
    "preserve_ephemeral": BOOLEAN,
    "OS-DCF:diskConfig": DISK_CONFIG,
    "accessIPv4": IPV4,
    "accessIPv6": IPV6,
    "personality": PERSONALITY,
}
REBUILD = (
    VersionedSchema(body_of("rebuild", _object(_REBUILD, ("imageRef",))))
    .amend("2.19", _allow(description=DESCRIPTION))
    .amend("2.54", _allow(key_name={**NAME, "type": ["string", "null"]}))
    .amend("2.57", _user_data_instead_of_files)
    .amend("2.63", _allow(trusted_image_certificates=TRUSTED))
    .amend("2.90", _allow(hostname=HOSTNAME))
    .amend("2.94", _allow(hostname=HOST_NAME))
)



def _unshelve(**fields: Schema) -> Schema:
    return body_of("unshelve", {**_object(fields), "type": ["object", "null"]})


UNSHELVE = (
    anything("unshelve")
    .amend("2.77", lambda _: _unshelve(availability_zone=NAME))
    .amend("2.91", lambda _: _unshelve(availability_zone={**NAME, "type": ["string", "null"]}, host=HOST_NAME))
)
RESIZE = VersionedSchema(
    body_of("resize", _object({"flavorRef": FLAVOR_REF, "OS-DCF:diskConfig": DISK_CONFIG}, ("flavorRef",)))
)
_MIGRATE: Schema = _object({"host": {**HOST_NAME, "type": ["string", "null"]}})
MIGRATE = anything("migrate").amend("2.56", lambda _: body_of("migrate", {**_MIGRATE, "type": ["object", "null"]}))
CREATE_IMAGE = VersionedSchema(body_of("createImage", _object({"name": NAME, "metadata": METADATA}, ("name",))))
_BACKUP: Schema = {
    "name": NAME,
    "backup_type": {"type": "string", "maxLength": 255},
    "rotation": whole(0),
    "metadata": METADATA,
}
CREATE_BACKUP = VersionedSchema(body_of("createBackup", _object(_BACKUP, ("name", "backup_type", "rotation"))))
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
