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
