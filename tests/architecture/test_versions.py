"""Microversions: at no version are there two answers to one question."""

from __future__ import annotations

import itertools
import pkgutil
from importlib import import_module
from typing import Any

import pytest

from computecloud.http.microversions import VersionedSchema, VersionedShape
from computecloud.http.services import BY_NAME
from tests.architecture.source import ROOT
from tests.support.routes import Route, api_routes

ENDLESS = (999, 999)


def every_shape(base: type = VersionedShape) -> list[type]:
    for package in ("instances", "hosts"):
        for module in pkgutil.walk_packages([str(ROOT / package / "api")], f"{package}.api."):
            import_module(module.name)
    found = []
    for shape in base.__subclasses__():
        found += [shape, *every_shape(shape)]
    return found


def overlap(one: tuple[Any, Any], other: tuple[Any, Any]) -> bool:
    return one[0] <= (other[1] or ENDLESS) and other[0] <= (one[1] or ENDLESS)


def test_overlap_tells_spans_apart() -> None:
    assert overlap(((2, 1), (2, 43)), ((2, 43), None))
    assert not overlap(((2, 1), (2, 43)), ((2, 44), None))


@pytest.mark.parametrize("shape", every_shape(), ids=lambda shape: shape.__name__)
def test_no_field_has_two_values_at_one_version(shape: Any) -> None:
    for name, declared in shape.fields.items():
        fields = declared if isinstance(declared, tuple) else (declared,)
        for one, other in itertools.combinations(fields, 2):
            assert not overlap((one.first, one.last), (other.first, other.last)), f"{shape.__name__}.{name}"
        assert all(field.first <= field.last for field in fields), f"{shape.__name__}.{name}"


def test_there_are_shapes() -> None:
    assert len(every_shape()) > 3


def test_no_path_is_served_twice_at_one_version() -> None:
    spans: dict[tuple[str, str], list[tuple[Any, Any]]] = {}
    for route in api_routes():
        for verb in route.actions:
            first, last = getattr(route.method(verb), "span", ((0, 0), None))
            assert last is None or first <= last, f"{verb} {route.path}"
            spans.setdefault((verb, route.path), []).append((first, last))
    twice = {
        place for place, found in spans.items() if any(overlap(*pair) for pair in itertools.combinations(found, 2))
    }
    assert twice == set()


@pytest.mark.parametrize(
    "route", [route for route in api_routes() if BY_NAME[route.service].maximum], ids=lambda route: route.path
)
def test_versions_named_by_a_route_are_spoken(route: Route) -> None:
    service = BY_NAME[route.service]
    assert service.maximum is not None
    for verb in route.actions:
        method = route.method(verb)
        first, last = getattr(method, "span", ((0, 0), None))
        steps = [since for since, _schema in schema._steps] if (schema := accepted(method)) else []
        assert steps == sorted(steps), f"{verb} {route.path}: amendments out of order"
        for version in (first, last, *steps):
            assert version is None or version <= service.maximum, f"{verb} {route.path}: {version}"


def accepted(method: Any) -> VersionedSchema | None:
    found = getattr(method, "accepts", None)
    return found if isinstance(found, VersionedSchema) else None
