"""Scheduler hints of a new server, under either of their names; what cannot be read is told at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from computecloud.core.errors import Invalid
from scheduling.hints import network_of, query_of

LONGEST = 8192


def hints_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """The hints; ``group`` as one id. Raises Invalid for a query or a network that cannot be read."""
    hints = dict(body.get("os:scheduler_hints", body.get("OS-SCH-HNT:scheduler_hints", {})))
    if len(str(hints)) > LONGEST:
        raise Invalid("The scheduler hints are too long.")
    try:
        query_of(hints)
        network_of(hints)
    except ValueError as problem:
        raise Invalid(f"Invalid scheduler hint: {problem}") from None
    group = hints.pop("group", None)
    if isinstance(group, list):
        group = group[0] if group else None
    return hints | {"group": group} if group else hints
