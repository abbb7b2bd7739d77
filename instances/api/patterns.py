"""Regular expressions that clients send as filters, run by an engine whose time is linear in the text."""

from __future__ import annotations

from collections.abc import Callable

import jsonschema_rs

from computecloud.core.errors import Invalid

LONGEST = 255


def matcher(pattern: str) -> Callable[[str], bool]:
    """A function that says whether a text contains a match. Raises Invalid for what is no regular expression."""
    if len(pattern) > LONGEST:
        raise Invalid(f"A search pattern may have {LONGEST} characters.")
    schema = {"type": "string", "pattern": pattern}
    try:
        validator = jsonschema_rs.Draft202012Validator(schema, pattern_options=jsonschema_rs.RegexOptions())
    except (jsonschema_rs.ValidationError, ValueError):
        raise Invalid("The search pattern is not a valid regular expression.") from None
    found: Callable[[str], bool] = validator.is_valid
    return found


def literal(pattern: str, *, dots: bool = False) -> tuple[str, bool, bool] | None:
    """(text, anchored at the start, anchored at the end), or None for what is a real expression.

    ``dots``: a dot stands for itself, as in addresses.
    """
    starts, ends = pattern.startswith("^"), pattern.endswith("$") and not pattern.endswith("\\$")
    inner = pattern[1 if starts else 0 : -1 if ends else None]
    text: list[str] = []
    characters = iter(inner)
    for character in characters:
        if character == "\\":
            character = next(characters, "")
            if character.isalnum() or not character:
                return None
        elif character in "*+?[](){}|^$" or (character == "." and not dots):
            return None
        text.append(character)
    return "".join(text), starts, ends
