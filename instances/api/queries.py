"""Query fields that only exist from some version on, and the numbers in them."""

from __future__ import annotations

from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from computecloud.core import clock
from computecloud.core.errors import Invalid
from computecloud.http.microversions import parse

Params = dict[str, list[str]]
M = TypeVar("M", bound=Model)


def only_since(since: str, request: Any, params: Params, *names: str, strict_since: str | None = None) -> None:
    """Forget fields that the request's version does not know yet. Raises Invalid where unknown fields are refused."""
    if request.api_version >= parse(since):
        return
    for name in names:
        if params.pop(name, None) is not None and strict_since and request.api_version >= parse(strict_since):
            raise Invalid(f"Additional properties are not allowed ('{name}' was unexpected)")


def last(params: Params, name: str) -> str | None:
    """The value that counts when a field was sent several times."""
    return params[name][-1] if params.get(name) else None


def whole_number(params: Params, name: str) -> int | None:
    """A filter that must be a whole number. Raises Invalid."""
    text = last(params, name)
    if text is None:
        return None
    try:
        return max(min(int(text[:20]), 2**31 - 1), -(2**31))
    except ValueError:
        raise Invalid(f"Invalid {name} filter [{text[:100]}]") from None


def _moment(params: Params, name: str) -> Any:
    text = last(params, name)
    if text is None:
        return None
    try:
        return clock.parse(text.replace(" ", "+"))
    except (ValueError, OverflowError):
        raise Invalid(f"Invalid input for query parameters {name}. Value: {text}. It is not a 'date-time'") from None


def marked(rows: QuerySet[M], params: Params, column: str) -> M | None:
    """The row that ``marker`` names by that column, after which the page begins. Raises Invalid."""
    marker = last(params, "marker")
    if marker is None:
        return None
    row = rows.filter(**{column: marker}).first()
    if row is None:
        raise Invalid(f"Marker {marker[:80]} could not be found.")
    return row


def changed_between(rows: QuerySet[M], params: Params) -> QuerySet[M]:
    """What changed from ``changes-since`` to ``changes-before``. Raises Invalid."""
    since, before = _moment(params, "changes-since"), _moment(params, "changes-before")
    if since and before and before < since:
        raise Invalid("The value of changes-since must be less than or equal to changes-before.")
    if since:
        rows = rows.filter(updated_at__gte=since)
    return rows.filter(updated_at__lte=before) if before else rows
