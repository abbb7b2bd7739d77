"""What may be in a body or a query is said everywhere, and nothing else is let in (S37)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from instances.api.server_actions import TABLE as SERVER_ACTIONS
from tests.support.routes import api_routes

# where more is let in than is named, and why
OPEN = {
    "post /compute/v2.1/os-security-groups": "Nova never refused unknown fields in forwarded calls; they are ignored",
    "put /compute/v2.1/os-security-groups/<str:group_id>": "as above",
    "post /compute/v2.1/os-security-group-rules": "as above",
    "post /image/v2/images/<str:image_id>/import": "refused whatever it says: no import method is offered",
    "post /compute/v2.1/servers": "scheduler hints of operators' own filters, as in Nova",
    "post /compute/v2.1/os-volumes_boot": "as above",
}

# texts without a bound of their own, and what bounds them
BOUNDED_ELSEWHERE = {
    ".method.name": "no import method is offered",
    ".personality[].path": "files are refused",
    ".personality[].contents": "files are refused",
    ".server.networks[].fixed_ip": "an address",
    "scheduler_hints.build_near_host_ip": "an address",
    "scheduler_hints.different_cell[]": "all hints together may take 8192 characters",
}


def every_schema() -> Iterator[tuple[str, Any]]:
    for route in api_routes():
        for verb in route.actions:
            if (schema := getattr(route.method(verb), "accepts", None)) is not None:
                yield f"{verb} {route.path}", schema
    for name, entry in SERVER_ACTIONS.items():
        yield f"action {name}", entry.schema


def open_objects(schema: Any, place: str = "") -> Iterator[str]:
    """Places of objects that let unnamed fields in."""
    if not isinstance(schema, dict):
        return
    if "properties" in schema:
        closed = schema.get("additionalProperties", True)
        if closed is True and "unevaluatedProperties" not in schema:
            yield place or "the body"
        for name, inner in schema["properties"].items():
            yield from open_objects(inner, f"{place}.{name}")
    yield from open_objects(schema.get("items"), f"{place}[]")


@pytest.mark.parametrize(("where", "schema"), list(every_schema()), ids=lambda one: one if isinstance(one, str) else "")
def test_unnamed_fields_are_refused(where: str, schema: Any) -> None:
    for since, step in schema._steps:
        found = list(open_objects(step.schema))
        assert not found or where in OPEN, f"{where} since {since}: {found}"


def test_what_is_excused_is_there() -> None:
    assert set(OPEN) <= {where for where, _schema in every_schema()}


def texts(schema: Any, place: str = "") -> Iterator[str]:
    """Places of texts without a bound of any kind."""
    if not isinstance(schema, dict):
        return
    bounded = {"maxLength", "enum", "const", "pattern", "format"} & set(schema)
    if schema.get("type") == "string" and not bounded:
        yield place
    for name, inner in schema.get("properties", {}).items():
        yield from texts(inner, f"{place}.{name}")
    yield from texts(schema.get("items"), f"{place}[]")


@pytest.mark.parametrize(("where", "schema"), list(every_schema()), ids=lambda one: one if isinstance(one, str) else "")
def test_texts_are_bounded(where: str, schema: Any) -> None:
    """S32: what is kept has a longest form."""
    for since, step in schema._steps:
        found = [place for place in texts(step.schema) if not place.endswith(tuple(BOUNDED_ELSEWHERE))]
        assert found == [], f"{where} since {since}"
