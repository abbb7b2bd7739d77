"""Request bodies of Identity, as JSON Schemas. Unknown fields are refused everywhere (S37, S47)."""

from __future__ import annotations

from typing import Any

from integrations.identity.passwords import LONGEST

Schema = dict[str, Any]

ID: Schema = {"type": "string", "minLength": 1, "maxLength": 64, "pattern": r"^[a-zA-Z0-9_-]+$"}
ID_OR_NULL: Schema = {"oneOf": [ID, {"type": "null"}]}
NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"\S"}
SHORT_NAME: Schema = {**NAME, "maxLength": 64}
TEXT: Schema = {"type": ["string", "null"], "maxLength": 4000}
BOOLEAN: Schema = {"type": "boolean"}
PASSWORD: Schema = {"type": "string", "minLength": 1, "maxLength": LONGEST}
URL: Schema = {"type": "string", "minLength": 1, "maxLength": 225, "pattern": r"^[a-zA-Z0-9+.-]+:.+"}


def record(properties: Schema, required: tuple[str, ...] = (), **more: Any) -> Schema:
    """An object with these fields and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
        **more,
    }


def wrapped(key: str, properties: Schema, required: tuple[str, ...] = (), **more: Any) -> Schema:
    """Keystone's form of a body: one key that holds the record."""
    return record({key: record(properties, required, **more)}, (key,))


_PROPERTY: Schema = {"type": ["string", "null", "boolean", "number"], "maxLength": 255}
RESERVED = ("id", "links", "extra", "password_expires_at", "is_superuser", "federated", "roles", "token")


def with_properties(properties: Schema, required: tuple[str, ...] = (), **more: Any) -> Schema:
    """A record that takes a client's own properties beside its fields (Keystone's "extra"): short, few, inert."""
    names = {
        "maxLength": 64,
        "pattern": r"^[A-Za-z][A-Za-z0-9_.:-]*$",
        "not": {"enum": [name for name in RESERVED if name not in properties]},
    }
    return {
        **record(properties, required, maxProperties=40, propertyNames=names, **more),
        "additionalProperties": _PROPERTY,
    }


def extensible(key: str, properties: Schema, required: tuple[str, ...] = (), **more: Any) -> Schema:
    """``wrapped``, for the kinds that take a client's own properties."""
    return record({key: with_properties(properties, required, **more)}, (key,))


def secret(schema: Schema) -> Schema:
    """A body that holds a secret: error texts do not repeat what was sent (S51)."""
    return {**schema, "writeOnly": True}


_DOMAIN_REF = record({"id": ID, "name": SHORT_NAME}, minProperties=1)
_OPTIONS: Schema = record({"immutable": {"type": ["boolean", "null"]}})
_USER_OPTIONS: Schema = record(
    {
        name: {"type": ["boolean", "null"]}
        for name in (
            "ignore_change_password_upon_first_use",
            "ignore_password_expiry",
            "ignore_lockout_failure_attempts",
            "lock_password",
            "ignore_user_inactivity",
            "multi_factor_auth_enabled",
        )
    }
)


def _who(secret: Schema) -> Schema:
    by_id = record({"id": ID, **secret}, ("id", *secret))
    by_name = record({"name": NAME, "domain": _DOMAIN_REF, **secret}, ("name", "domain", *secret))
    both = record({"id": ID, "domain": _DOMAIN_REF, **secret}, ("id", *secret))
    return {"anyOf": [by_id, by_name, both]}


_METHODS: dict[str, Schema] = {
    "password": record({"user": _who({"password": PASSWORD})}, ("user",)),
    "token": record({"id": {"type": "string", "minLength": 1, "maxLength": 512}}, ("id",)),
    "application_credential": {
        "anyOf": [
            record({"id": ID, "secret": PASSWORD}, ("id", "secret")),
            record({"name": NAME, "user": _who({}), "secret": PASSWORD}, ("name", "user", "secret")),
        ]
    },
}


def _identity(method: str) -> Schema:
    """One method per request, and the proof of no other beside it."""
    methods = {"type": "array", "minItems": 1, "maxItems": 1, "items": {"const": method}}
    return record({"methods": methods, method: _METHODS[method]}, ("methods", method))


_PROJECT_SCOPE = {
    "anyOf": [
        record({"id": ID, "domain": _DOMAIN_REF}, ("id",)),
        record({"name": SHORT_NAME, "domain": _DOMAIN_REF}, ("name", "domain")),
    ]
}
_SCOPE: Schema = {
    "oneOf": [
        record({"project": _PROJECT_SCOPE}, ("project",)),
        record({"domain": _DOMAIN_REF}, ("domain",)),
        record({"system": record({"all": {"const": True}}, ("all",))}, ("system",)),
        record({"unscoped": {"type": "object", "maxProperties": 0}}, ("unscoped",)),
        {"const": "unscoped"},
    ]
}
_AUTH = {"identity": {"oneOf": [_identity(name) for name in _METHODS]}, "scope": _SCOPE}
AUTH = secret(wrapped("auth", _AUTH, ("identity",)))

TAG: Schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[^,/]+$"}
TAGS: Schema = {"type": "array", "items": TAG, "maxItems": 80, "uniqueItems": True}
_PROJECT = {
    "name": SHORT_NAME,
    "description": TEXT,
    "enabled": BOOLEAN,
    "domain_id": ID_OR_NULL,
    "tags": TAGS,
}
_PROJECT |= {"parent_id": ID_OR_NULL, "is_domain": BOOLEAN, "options": _OPTIONS}
CREATE_PROJECT = extensible("project", _PROJECT, ("name",))
UPDATE_PROJECT = extensible("project", _PROJECT, minProperties=1)
PROJECT_TAGS = record({"tags": TAGS}, ("tags",))

_DOMAIN = {"name": SHORT_NAME, "description": TEXT, "enabled": BOOLEAN, "options": _OPTIONS}
CREATE_DOMAIN = wrapped("domain", _DOMAIN, ("name",))
UPDATE_DOMAIN = wrapped("domain", _DOMAIN, minProperties=1)

_USER = {
    "name": NAME,
    "domain_id": ID_OR_NULL,
    "default_project_id": ID_OR_NULL,
    "email": {"type": ["string", "null"], "maxLength": 255},
    "description": TEXT,
    "enabled": BOOLEAN,
    "password": {"oneOf": [PASSWORD, {"type": "null"}]},
    "options": _USER_OPTIONS,
}
CREATE_USER = secret(extensible("user", _USER, ("name",)))
UPDATE_USER = secret(extensible("user", {**_USER, "id": ID}, minProperties=1))
_PASSWORDS = {"password": PASSWORD, "original_password": PASSWORD}
CHANGE_PASSWORD = secret(wrapped("user", _PASSWORDS, tuple(_PASSWORDS)))

_GROUP = {"name": SHORT_NAME, "description": TEXT, "domain_id": ID_OR_NULL}
CREATE_GROUP = extensible("group", _GROUP, ("name",))
UPDATE_GROUP = extensible("group", _GROUP, minProperties=1)

_ROLE = {"name": NAME, "description": TEXT, "domain_id": ID_OR_NULL, "options": _OPTIONS}
CREATE_ROLE = wrapped("role", _ROLE, ("name",))
UPDATE_ROLE = wrapped("role", _ROLE, minProperties=1)

_APPLICATION_CREDENTIAL = {
    "name": NAME,
    "description": TEXT,
    "secret": {"oneOf": [PASSWORD, {"type": "null"}]},
    "expires_at": {"type": ["string", "null"], "maxLength": 64},
    "roles": {
        "type": ["array", "null"],
        "maxItems": 50,
        "items": record({"id": ID, "name": NAME}, minProperties=1),
    },
    "unrestricted": BOOLEAN,
    "access_rules": {"type": "array", "maxItems": 50, "items": {"type": "object"}},
    "project_id": ID,
}
CREATE_APPLICATION_CREDENTIAL = secret(wrapped("application_credential", _APPLICATION_CREDENTIAL, ("name",)))

_CREDENTIAL = {
    "blob": {"type": "string", "maxLength": 16384},
    "type": NAME,
    "user_id": ID,
    "project_id": ID_OR_NULL,
}
CREATE_CREDENTIAL = secret(wrapped("credential", _CREDENTIAL, ("blob", "type", "user_id")))
UPDATE_CREDENTIAL = secret(wrapped("credential", _CREDENTIAL, minProperties=1))

_SERVICE = {
    "type": NAME,
    "name": {"type": ["string", "null"], "maxLength": 255},
    "description": TEXT,
    "enabled": BOOLEAN,
}
CREATE_SERVICE = wrapped("service", _SERVICE, ("type",))
UPDATE_SERVICE = wrapped("service", _SERVICE, minProperties=1)

_REGION_ID: Schema = {"type": ["string", "null"], "minLength": 1, "maxLength": 255}
_ENDPOINT = {
    "interface": {"enum": ["public", "internal", "admin"]},
    "service_id": ID,
    "region": _REGION_ID,
    "region_id": _REGION_ID,
    "url": URL,
    "enabled": BOOLEAN,
    "name": {"type": "string", "maxLength": 255},
    "description": TEXT,
}
CREATE_ENDPOINT = wrapped("endpoint", _ENDPOINT, ("interface", "service_id", "url"))
UPDATE_ENDPOINT = wrapped("endpoint", _ENDPOINT, minProperties=1)

_REGION = {"id": {"type": "string", "maxLength": 255}, "description": TEXT, "parent_region_id": _REGION_ID}
CREATE_REGION = wrapped("region", _REGION)
UPDATE_REGION = wrapped("region", _REGION)
