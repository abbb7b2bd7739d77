"""Words that many schemas use. They accept what Nova's request schemas of the same meaning accept."""

from __future__ import annotations

from typing import Any

from computecloud.core.errors import Invalid

Schema = dict[str, Any]

MAX_INT = 0x7FFFFFFF

# Printable, no white space at either end. Control, private and unassigned code points are out.
NAME_PATTERN = r"^(?![\s\p{Z}])[^\p{Cc}\p{Cs}\p{Co}\p{Zl}\p{Zp}]*(?<![\s\p{Z}])$"
ZONE_PATTERN = r"^(?![\s\p{Z}])[^:\p{Cc}\p{Cs}\p{Co}\p{Zl}\p{Zp}]*(?<![\s\p{Z}])$"
LOOSE_NAME_PATTERN = r"^[^\p{Cc}\p{Cs}\p{Co}\p{Zl}\p{Zp}]*[^\s\p{C}\p{Z}][^\p{Cc}\p{Cs}\p{Co}\p{Zl}\p{Zp}]*$"
TEXT_PATTERN = r"^[^\p{Cc}\p{Cs}\p{Co}\p{Zl}\p{Zp}]*$"
UUID_PATTERN = "^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$"

NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": NAME_PATTERN}
LOOSE_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": LOOSE_NAME_PATTERN}
ZONE: Schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": ZONE_PATTERN}
UUID: Schema = {"type": "string", "pattern": UUID_PATTERN}
HOST_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[a-zA-Z0-9-._]*$"}

TRUE_WORDS = (True, "True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes")
FALSE_WORDS = (False, "False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no")
BOOLEAN: Schema = {"type": ["boolean", "string"], "enum": [*TRUE_WORDS, *FALSE_WORDS]}

STRING: Schema = {"type": "string"}
# What one value of a query string may be.
LIMIT: Schema = {"type": "string", "pattern": "^[0-9]+$", "maxLength": 18}
QUERY_BOOLEAN: Schema = {
    "type": "string",
    "enum": [word for word in (*TRUE_WORDS, *FALSE_WORDS) if isinstance(word, str)],
}

METADATA: Schema = {
    "type": "object",
    "patternProperties": {"^[a-zA-Z0-9-_:. ]{1,255}$": {"type": "string", "maxLength": 255}},
    "additionalProperties": False,
}
METADATA_OR_NULL: Schema = {
    "type": "object",
    "patternProperties": {"^[a-zA-Z0-9-_:. ]{1,255}$": {"type": ["string", "null"], "maxLength": 255}},
    "additionalProperties": False,
}


def whole(minimum: int) -> Schema:
    """A whole number from ``minimum`` (-1, 0 or 1) to MAX_INT, as a number or as digits.

    A schema cannot compare digits in a string with a maximum: read the value with ``number``.
    """
    pattern = {-1: "^(-1|[0-9]{1,10})$", 0: "^[0-9]{1,10}$", 1: "^0*[1-9][0-9]{0,9}$"}[minimum]
    return {"type": ["integer", "string"], "pattern": pattern, "minimum": minimum, "maximum": MAX_INT}


def number(value: int | str, field: str) -> int:
    """The int behind a value that passed ``whole``. Raises Invalid when digits in a string were too large."""
    if int(value) > MAX_INT:
        raise Invalid(f"Invalid input for field/attribute {field}. Value: {value}. {value} is greater than {MAX_INT}")
    return int(value)


def wrapped(name: str, properties: Schema, required: tuple[str, ...] = (), **more: Any) -> Schema:
    """``{name: {...}}`` with nothing else inside or beside it."""
    inner: Schema = {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
        **more,
    }
    return {"type": "object", "properties": {name: inner}, "required": [name], "additionalProperties": False}


def truth(value: bool | str) -> bool:
    """What a BOOLEAN word means."""
    return value in TRUE_WORDS
