"""What may be asked of the list of images: filters, order, pages. An unknown name asks for a custom property."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q, QuerySet

from computecloud.core import clock
from computecloud.core.actor import Actor
from computecloud.core.errors import Invalid
from computecloud.http.pagination import keyset, limit_of
from integrations.images.api import shape
from integrations.images.models import Image, PropertyText

Params = Mapping[str, Sequence[str]]

DEFAULT_LIMIT = 100
VISIBILITIES = {"public", "private", "shared", "community", "all"}
MEMBER_STATUSES = {"pending", "accepted", "rejected", "all"}
SORTABLE = ("name", "status", "container_format", "disk_format", "size", "id", "created_at", "updated_at")
COMPARE = {"gt": "gt", "gte": "gte", "lt": "lt", "lte": "lte", "eq": "exact"}
LARGEST = 2**63 - 1
PAGING = {"limit", "marker", "sort", "sort_key", "sort_dir", "visibility", "member_status"}
Clause = Callable[[str], Q]


def page(actor: Actor, params: Params) -> dict[str, Any]:
    """The whole answer: images, and links to the first, this and the next page. Raises Invalid."""
    limit = min(limit_of(params), DEFAULT_LIMIT if "limit" not in params else LARGEST)
    if params.get("limit", ["x"])[-1] == "0":
        return _answer([], params, None)
    marker = _marker(actor, params)
    rows = list(keyset(matching(actor, params), _sort(params), marker, limit + 1).values_list(*shape.READ))
    shown = shape.images(rows[:limit])
    return _answer(shown, params, (shown[-1]["id"], limit) if len(rows) > limit else None)


def matching(actor: Actor, params: Params) -> QuerySet[Image]:
    """The images that the actor asks for."""
    visibility = _choice(params, "visibility", VISIBILITIES)
    found: QuerySet[Image] = Image.objects.listed_for(
        actor, visibility, _choice(params, "member_status", MEMBER_STATUSES)
    )
    if "os_hidden" not in params:
        found = found.filter(is_hidden=False)
    for name, values in params.items():
        if name in PAGING:
            continue
        if name == "tag":
            for value in values:
                found = found.filter(tags__tag=value)
        elif name in CLAUSES:
            found = found.filter(CLAUSES[name](values[-1]))
        else:
            found = _with_property(found, name, values[-1])
    return found


def _with_property(found: QuerySet[Image], name: str, value: str) -> QuerySet[Image]:
    """Custom properties are compared as text; the name travels as a parameter of the query, never in its text."""
    alias = f"property_{len(found.query.annotations)}"
    return found.alias(**{alias: PropertyText("properties", name)}).filter(**{alias: value})


def _choice(params: Params, name: str, allowed: set[str]) -> str | None:
    if name not in params:
        return None
    value = params[name][-1]
    if value not in allowed:
        raise Invalid(f"Invalid {name} value: {value[:60]}. It must be one of {', '.join(sorted(allowed))}.")
    return value


def _equal(column: str) -> Clause:
    return lambda value: Q(**{column: value})


def _one_of(column: str) -> Clause:
    """``in:a,b,"c,d"`` or one value."""

    def clause(value: str) -> Q:
        if not value.startswith("in:"):
            return Q(**{column: value})
        return Q(**{f"{column}__in": _split(value[3:])})

    return clause


def _split(text: str) -> list[str]:
    if text.count('"') % 2:
        raise Invalid(f"The value {text[:100]} is not well quoted.")
    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error as problem:
        raise Invalid(f"The value {text[:100]} is not a list of values separated by commas.") from problem


def _number(lookup: str) -> Clause:
    def clause(value: str) -> Q:
        if not (value.isascii() and value.isdigit()) or int(value[:30]) > LARGEST:
            raise Invalid(f"{value[:30]} is not an integer that a size could have.")
        return Q(**{lookup: int(value)})

    return clause


def _truth(column: str) -> Clause:
    def clause(value: str) -> Q:
        word = value.lower()
        if word not in ("true", "false"):
            raise Invalid(f"Invalid value {value[:60]} for {column.removeprefix('is_')}: it must be true or false.")
        return Q(**{column: word == "true"})

    return clause


def _moment(column: str) -> Clause:
    """``gte:2026-11-22T11:00:00Z``, or a bare time. Answers show whole seconds, so a second is what is compared."""

    def clause(value: str) -> Q:
        operator, _, rest = value.partition(":")
        if operator not in (*COMPARE, "neq"):
            operator, rest = "eq", value
        try:
            moment = clock.parse(rest.replace(" ", "+").strip()).replace(microsecond=0)
            later = moment + timedelta(seconds=1)
        except (ValueError, OverflowError) as problem:
            raise Invalid(f"Invalid time {rest[:60]} for {column}.") from problem
        within = Q(**{f"{column}__gte": moment, f"{column}__lt": later})
        match operator:
            case "eq":
                return within
            case "neq":
                return ~within
            case "gt" | "lte":
                return Q(**{f"{column}__gte" if operator == "gt" else f"{column}__lt": later})
        return Q(**{f"{column}__{operator}": moment})

    return clause


CLAUSES: dict[str, Clause] = {
    "id": _one_of("id"),
    "name": _one_of("name"),
    "status": _one_of("status"),
    "disk_format": _one_of("disk_format"),
    "container_format": _one_of("container_format"),
    "owner": _equal("owner"),
    "checksum": _equal("md5"),
    "os_hash_value": _equal("sha512"),
    "os_hash_algo": lambda value: Q(sha512__isnull=False) if value == "sha512" else Q(pk__in=[]),
    "size": _number("size_bytes"),
    "size_min": _number("size_bytes__gte"),
    "size_max": _number("size_bytes__lte"),
    "virtual_size": _number("virtual_size_bytes"),
    "min_disk": _number("min_disk_gb"),
    "min_ram": _number("min_ram_mb"),
    "protected": _truth("is_protected"),
    "os_hidden": _truth("is_hidden"),
    "created_at": _moment("created_at"),
    "updated_at": _moment("updated_at"),
}


def _sort(params: Params) -> list[tuple[str, str]]:
    """``sort=name:asc,size`` or ``sort_key=name&sort_dir=asc``; newest first where nothing is said."""
    if "sort" in params:
        if "sort_key" in params or "sort_dir" in params:
            raise Invalid("Old and new sorting syntax cannot be combined")
        pairs = [part.strip().partition(":")[::2] for part in ",".join(params["sort"]).split(",")]
    else:
        keys, directions = list(params.get("sort_key", ["created_at"])), list(params.get("sort_dir", []))
        if len(directions) > 1 and len(directions) != len(keys):
            raise Invalid("Number of sort dirs does not match the number of sort keys")
        directions = directions * len(keys) if len(directions) == 1 else directions or [""] * len(keys)
        pairs = list(zip(keys, directions, strict=True))
    order = [(_sort_key(key), _sort_direction(direction)) for key, direction in pairs]
    for key in ("created_at", "id"):
        if key not in [column for column, _ in order]:
            order.append((key, order[0][1] if "sort_dir" in params else "desc"))
    return order


def _sort_key(key: str) -> str:
    if key not in SORTABLE:
        raise Invalid(f"Invalid sort key: {key[:60]}. It must be one of the following: {', '.join(SORTABLE)}.")
    return shape.COLUMNS[key]


def _sort_direction(direction: str) -> str:
    if direction not in ("", "asc", "desc"):
        raise Invalid(f"Invalid sort direction: {direction[:60]}")
    return direction or "desc"


def _marker(actor: Actor, params: Params) -> Image | None:
    if "marker" not in params:
        return None
    row = Image.objects.for_actor(actor).filter(pk=params["marker"][-1]).first()
    if row is None:
        raise Invalid("Invalid marker format or image")
    return row


def _answer(shown: list[dict[str, Any]], params: Params, after: tuple[str, int] | None) -> dict[str, Any]:
    """Links are relative, as Glance's are: clients put them behind the address they know."""
    kept = [(name, value) for name, values in params.items() if name != "marker" for value in values]
    found: dict[str, Any] = {"images": shown, "first": _link(kept), "schema": "/v2/schemas/images"}
    if after is not None:
        marker, limit = after
        kept = [pair for pair in kept if pair[0] != "limit"]
        found["next"] = _link([*kept, ("limit", str(limit)), ("marker", marker)])
    return found


def _link(pairs: list[tuple[str, str]]) -> str:
    return f"/v2/images?{urlencode(pairs)}" if pairs else "/v2/images"
