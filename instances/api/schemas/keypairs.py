"""Schemas of key pairs."""

from __future__ import annotations

from computecloud.http.microversions import VersionedSchema
from instances.api.schemas.types import LIMIT, NAME, STRING, Schema, wrapped

# Names: no white space at either end, and from 2.92 on also "@" and ".".
_PLAIN: Schema = {"allOf": [NAME, {"type": "string", "pattern": r"^[_\- a-zA-Z0-9]+$"}]}
_WIDE: Schema = {"allOf": [NAME, {"type": "string", "pattern": r"^[_\-@. a-zA-Z0-9]+$"}]}


PUBLIC_KEY: Schema = {"type": "string", "maxLength": 16_384}  # RSA of 16384 bits takes 2.8 kB


def _with_type(schema: Schema) -> None:
    schema["properties"]["keypair"]["properties"]["type"] = {"type": "string", "enum": ["ssh", "x509"]}


def _with_user(schema: Schema) -> None:
    schema["properties"]["keypair"]["properties"]["user_id"] = {"type": "string", "minLength": 1, "maxLength": 255}


def _import_only(schema: Schema) -> None:
    keypair = schema["properties"]["keypair"]
    keypair["properties"]["name"] = _WIDE
    keypair["required"] = ["name", "public_key"]


CREATE = (
    VersionedSchema(wrapped("keypair", {"name": _PLAIN, "public_key": PUBLIC_KEY}, ("name",)))
    .amend("2.2", _with_type)
    .amend("2.10", _with_user)
    .amend("2.92", _import_only)
)
LIST_QUERY: dict[str, Schema] = {"user_id": STRING, "limit": LIMIT, "marker": STRING}
SHOW_QUERY: dict[str, Schema] = {"user_id": STRING}
