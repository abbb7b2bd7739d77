"""Lists: filters, sorting, paging and ``fields``, all from allow-lists (S29).

Source: https://docs.openstack.org/api-ref/network/v2/#filtering-and-column-selection and the pagination section.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet

from computecloud.core.errors import Invalid
from computecloud.http.pagination import keyset, limit_of, next_link
from integrations.networks.errors import HTTPBadRequest, HTTPNotFound
from integrations.networks.models import Tag

M = TypeVar("M", bound=Model)
Filter = Callable[[Sequence[str]], Q]
CONTROL = {"fields", "limit", "marker", "sort_key", "sort_dir", "page_reverse"}
MOST_VALUES = 200
LONGEST_VALUE = 255


def text(column: str) -> Filter:
    return lambda values: Q(**{f"{column}__in": values})


def boolean(column: str) -> Filter:
    return lambda values: Q(**{f"{column}__in": [_truth(column, value) for value in values]})


def number(column: str) -> Filter:
    return lambda values: Q(**{f"{column}__in": [_number(column, value) for value in values]})


def constant(value: str) -> Filter:
    """A filter on something that is the same for every row."""
    return lambda values: Q() if value in values else Q(pk__in=[])


def never(values: Sequence[str]) -> Q:
    """A boolean filter on something that is true of no row."""
    return Q() if any(not _truth("value", value) for value in values) else Q(pk__in=[])


def nothing(values: Sequence[str]) -> Q:
    """A filter on something that no row has."""
    return Q(pk__in=[])


def tagged(kind: str) -> dict[str, Filter]:
    """The four filters by tag; words are separated by commas."""

    def words(values: Sequence[str]) -> list[str]:
        return [word for value in values for word in value.split(",") if word][:MOST_VALUES]

    def every(values: Sequence[str]) -> Q:
        condition = Q()
        for word in words(values):
            condition &= Q(id__in=Tag.objects.filter(kind=kind, tag=word).values("resource_id"))
        return condition

    def some(values: Sequence[str]) -> Q:
        return Q(id__in=Tag.objects.filter(kind=kind, tag__in=words(values)).values("resource_id"))

    return {
        "tags": every,
        "tags-any": some,
        "not-tags": lambda values: ~every(values),
        "not-tags-any": lambda values: ~some(values),
    }


def owned(kind: str | None = None) -> dict[str, Filter]:
    """The filters that every kind of row has."""
    common = {
        "id": text("id"),
        "name": text("name"),
        "description": text("description"),
        "project_id": text("project_id"),
        "tenant_id": text("project_id"),
        "revision_number": number("revision"),
    }
    return common | (tagged(kind) if kind else {})


OWNED_SORT = {"id": "id", "name": "name", "project_id": "project_id", "tenant_id": "project_id"} | {
    "created_at": "created_at", "updated_at": "updated_at", "description": "description"
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Listing:
    """What one collection may be asked for. ``admin_filters`` look at what only administrators see."""

    filters: Mapping[str, Filter]
    sort: Mapping[str, str] = field(default_factory=lambda: OWNED_SORT)
    admin_filters: Mapping[str, Filter] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of ids in order, and the links to its neighbours."""

    ids: list[str]
    links: list[dict[str, str]]


def _truth(column: str, value: str) -> bool:
    if value.lower() in ("true", "1", "t", "yes"):
        return True
    if value.lower() in ("false", "0", "f", "no"):
        return False
    raise HTTPBadRequest(f"Invalid input for {column}. Reason: '{value[:40]}' cannot be converted to boolean.")


def _number(column: str, value: str) -> int:
    if value.isascii() and value.isdigit() and len(value) < 12:
        return int(value)
    raise HTTPBadRequest(f"Invalid input for {column}. Reason: '{value[:40]}' is not an integer.")


def queries(request: Any) -> dict[str, list[str]]:
    """The query string, bounded."""
    found: dict[str, list[str]] = {name: list(values) for name, values in request._request.GET.lists()}
    for name, values in found.items():
        if len(values) > MOST_VALUES or any(len(value) > LONGEST_VALUE for value in values):
            raise HTTPBadRequest(f"Invalid input for {name[:60]}. Reason: too many or too long values.")
    return found


def page(request: Any, rows: QuerySet[M], listing: Listing) -> Page:
    """One page of the rows that the caller may see. Raises HTTPBadRequest, HTTPNotFound (marker)."""
    asked = queries(request)
    filters = {**listing.filters, **(listing.admin_filters if request.actor.is_admin else {})}
    unknown = sorted(set(asked) - CONTROL - set(filters))
    if unknown:
        raise HTTPBadRequest(f"{[name[:60] for name in unknown[:5]]} is invalid attribute for filtering")
    marker = _marker(asked, rows)
    for name in asked.keys() & filters.keys():
        rows = rows.filter(filters[name](asked[name]))
    limit = _limit(asked)
    reverse = (asked.get("page_reverse") or ["false"])[-1].lower() in ("true", "1")
    sort = _sort(asked, listing, reverse)
    ids: list[str] = list(keyset(rows, sort, marker, limit + 1).values_list("id", flat=True))
    more = len(ids) > limit
    ids = ids[:limit]
    if reverse:
        ids.reverse()
    forward = bool(ids) and (more or reverse)
    backward = bool(ids) and (more if reverse else marker is not None)
    links = [{"rel": "next", "href": _link(request, ids[-1], limit)}] if forward else []
    if backward:
        links.append({"rel": "previous", "href": _link(request, ids[0], limit) + "&page_reverse=True"})
    return Page(ids, links)


def _limit(asked: Mapping[str, Sequence[str]]) -> int:
    try:
        return limit_of(asked)
    except Invalid as problem:
        raise HTTPBadRequest(str(problem)) from None


def _link(request: Any, marker: str, limit: int) -> str:
    link = next_link(request, marker, limit)
    return link.replace("page_reverse=True&", "").replace("page_reverse=true&", "")


def _sort(asked: Mapping[str, list[str]], listing: Listing, reverse: bool) -> list[tuple[str, str]]:
    keys, directions = asked.get("sort_key", []), asked.get("sort_dir", [])
    if directions and len(directions) != len(keys):
        raise HTTPBadRequest("The number of sort_keys and sort_dirs must be same")
    unknown = [key[:60] for key in keys if key not in listing.sort]
    if unknown:
        raise HTTPBadRequest(f"{unknown[:5]} is invalid attribute for sort keys")
    if any(direction not in ("asc", "desc") for direction in directions):
        raise HTTPBadRequest("sort_dir must be asc or desc")
    pairs = list(zip((listing.sort[key] for key in keys), directions or ["asc"] * len(keys), strict=True))
    pairs = pairs or [("created_at", "asc")]
    sort: list[tuple[str, str]] = []
    for column, direction in [*pairs, ("id", pairs[-1][1])]:
        if column not in [known for known, _ in sort]:
            sort.append((column, direction))
    if reverse:
        sort = [(column, "desc" if direction == "asc" else "asc") for column, direction in sort]
    return sort


def _marker(asked: Mapping[str, list[str]], visible: QuerySet[M]) -> M | None:
    text_of_marker = (asked.get("marker") or [""])[-1]
    if not text_of_marker:
        return None
    found = visible.filter(pk=text_of_marker).first()
    if found is None:
        raise HTTPNotFound(f"Marker {text_of_marker[:64]} could not be found.")
    return found


def chosen(request: Any, view: dict[str, Any]) -> dict[str, Any]:
    """Only the attributes that ``fields`` names, when it names any."""
    fields = request._request.GET.getlist("fields")
    return {name: value for name, value in view.items() if name in fields} if any(fields) else view
