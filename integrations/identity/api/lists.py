"""Lists as Keystone answers them: filters from an allow-list, paging by marker, links."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet
from django.http import HttpResponse

from computecloud.core.errors import Invalid
from computecloud.http.answers import answer
from computecloud.http.pagination import keyset, limit_of, next_link, public_link

M = TypeVar("M", bound=Model)
Params = Mapping[str, list[str]]
TEXT = {"type": "string", "maxLength": 255}
PAGING: dict[str, Any] = {"limit": TEXT, "marker": TEXT, "sort_key": TEXT, "sort_dir": TEXT}
_FALSE = ("0", "false", "no", "f", "off")


def allowed(*names: str) -> dict[str, Any]:
    """The query parameters of a list: these, and those of paging. Others are ignored, as Keystone does."""
    return {**PAGING, **dict.fromkeys(names, TEXT)}


def truth(text: str) -> bool:
    """Keystone's reading of a flag: there, and not a word for no."""
    return text.strip().lower() not in _FALSE


def filtered(rows: QuerySet[M], params: Params, *, same: Mapping[str, str], flags: Sequence[str] = ()) -> QuerySet[M]:
    """Keep the rows that match: ``same`` maps parameters to columns, ``flags`` are booleans of the same name."""
    for name, column in same.items():
        if name in params:
            rows = rows.filter(**{column: params[name][-1]})
    for name in flags:
        if name in params:
            rows = rows.filter(**{name: truth(params[name][-1])})
    return rows


def by_name(params: Params) -> Q:
    """``name`` and its inexact forms: name__contains, name__startswith, name__endswith, with or without case."""
    found = Q()
    for form in (
        "",
        "__contains",
        "__icontains",
        "__startswith",
        "__istartswith",
        "__endswith",
        "__iendswith",
    ):
        for text in params.get(f"name{form}", [])[-1:]:
            found &= Q(**{f"name{form}": text})
    return found


NAME_FORMS = tuple(
    f"name__{form}" for form in ("contains", "icontains", "startswith", "istartswith", "endswith", "iendswith")
)


def page(rows: QuerySet[M], params: Params, sort: Sequence[tuple[str, str]]) -> tuple[list[M], int | None]:
    """One page, and the limit when there may be more after it. Raises Invalid for an unknown marker."""
    marker = None
    if params.get("marker"):
        marker = rows.model._default_manager.filter(pk=params["marker"][-1]).first()
        if marker is None:
            raise Invalid(f"Marker {params['marker'][-1][:64]} could not be found.")
    limit = limit_of(params)
    found = list(keyset(rows, sort, marker, limit + 1))
    return (found[:limit], limit) if len(found) > limit else (found, None)


def listed(
    request: Any,
    collection: str,
    rows: QuerySet[M],
    params: Params,
    shape: Callable[[M], dict[str, Any]],
    sort: Sequence[tuple[str, str]] = (("name", "asc"), ("id", "asc")),
) -> HttpResponse:
    """``{collection: [...], "links": {self, next, previous}}``."""
    found, limit = page(rows, params, sort)
    after = next_link(request, str(found[-1].pk), limit) if limit and found else None
    return whole(request, collection, [shape(row) for row in found], after)


def whole(request: Any, collection: str, items: list[dict[str, Any]], after: str | None = None) -> HttpResponse:
    """A list that is already complete."""
    raw = getattr(request, "_request", request)
    own = public_link(raw.get_full_path().replace(raw.path, raw.public_path, 1))
    return answer({collection: items, "links": {"self": own, "previous": None, "next": after}})
