"""Paging by key, never by offset: pages stay right while rows come and go (R30)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.core.exceptions import FieldDoesNotExist
from django.db.models import F, Model, Q, QuerySet, Subquery

from computecloud.conf import conf
from computecloud.core.errors import Invalid

MAX_LIMIT = 1000
M = TypeVar("M", bound=Model)


def public_link(path: str) -> str:
    """An absolute link, made from the one setting ``public_url``."""
    return conf().public_url.rstrip("/") + path


def limit_of(params: Mapping[str, Sequence[str]], largest: int = MAX_LIMIT) -> int:
    """The page size asked for; 0 or nothing means the largest. Raises Invalid."""
    text = (params.get("limit") or [""])[-1]
    if not text:
        return largest
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise Invalid("limit param must be an integer" if text[:1] != "-" else "limit param must be positive")
    return min(int(text) or largest, largest)


def _nullable(model: type[Model], key: str) -> bool:
    """Whether a key's column may be null. One that may not is ordered plainly, as its index is."""
    try:
        return bool(getattr(model._meta.get_field(key), "null", True))
    except FieldDoesNotExist:
        return True


def _after(key: str, direction: str, value: Any, nullable: bool) -> Q:
    """Rows after a value in one key. Nulls sort first ascending and last descending, on every database."""
    if direction == "asc":
        return Q(**{f"{key}__gt": value}) if value is not None else Q(**{f"{key}__isnull": False})
    if value is None:
        return Q(pk__in=[])
    later = Q(**{f"{key}__lt": value})
    return later | Q(**{f"{key}__isnull": True}) if nullable else later


def _stored(marker: Model, key: str) -> Any:
    """What a later row is compared with. A time is read by the database itself: SQLite keeps text, and writes the times
    of its own clock with fewer digits than ours, so that a row would come after itself."""
    value = getattr(marker, key)
    if isinstance(value, datetime):
        return Subquery(type(marker)._base_manager.filter(pk=marker.pk).order_by().values(key)[:1])
    return value


def _from(key: str, direction: str, marker: Model) -> Q:
    """Rows from the marker's value on: says nothing new, but an index on the key is entered there, at any depth."""
    return Q(**{f"{key}__{'gte' if direction == 'asc' else 'lte'}": _stored(marker, key)})


def keyset(
    queryset: QuerySet[M], sort: Sequence[tuple[str, str]], marker: M | None = None, limit: int | None = None
) -> QuerySet[M]:
    """Order by ``sort`` ((field, "asc"|"desc"), the last one unique), start after ``marker``, cut at ``limit``."""
    nullable = {key: _nullable(queryset.model, key) or None for key, _ in sort}
    order = [
        F(key).asc(nulls_first=nullable[key]) if direction == "asc" else F(key).desc(nulls_last=nullable[key])
        for key, direction in sort
    ]
    if marker is not None:
        later = Q(pk__in=[])
        equal = Q()
        for key, direction in sort:
            value = _stored(marker, key)
            later |= equal & _after(key, direction, value, bool(nullable[key]))
            equal &= Q(**{key: value}) if value is not None else Q(**{f"{key}__isnull": True})
        queryset = queryset.filter(_from(*sort[0], marker) if not nullable[sort[0][0]] else Q(), later)
    queryset = queryset.order_by(*order)
    return queryset[:limit] if limit is not None else queryset


def next_link(request: Any, marker: str, limit: int | None = None) -> str:
    """The request's own URL with another marker, absolute."""
    raw = getattr(request, "_request", request)
    pairs = [(key, value) for key, values in raw.GET.lists() for value in values if key not in ("marker", "limit")]
    if limit is not None:
        pairs.append(("limit", str(limit)))
    pairs.append(("marker", marker))
    return f"{public_link(raw.public_path)}?{urlencode(pairs)}"
