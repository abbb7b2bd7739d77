"""Microversions: negotiated once at the door, declared where a shape is written, forgotten below ``api/``.

Free of DRF views on purpose (an import circle through DRF's settings).
Source: https://specs.openstack.org/openstack/api-sig/guidelines/microversion_specification.html
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from functools import lru_cache, wraps
from operator import attrgetter
from typing import Any, ClassVar, TypeVar

import jsonschema_rs

from computecloud.core.errors import Invalid, NotAcceptable, NotFound
from computecloud.http.services import Service, Version

_VERSION = re.compile(r"^([1-9]\d*|0)\.([1-9]\d*|0)$")
F = TypeVar("F", bound=Callable[..., Any])


def parse(text: str) -> Version:
    """``"2.90"`` → ``(2, 90)``. Raises Invalid."""
    found = _VERSION.match(text)
    if not found:
        raise Invalid(f"API Version String {text[:40]} is of invalid format. Must be of format MajorNum.MinorNum.")
    return int(found[1]), int(found[2])


def write(version: Version) -> str:
    return f"{version[0]}.{version[1]}"


def _asked(service: Service, headers: Mapping[str, str]) -> str | None:
    """The version text a client sent for this service; the generic header wins over Nova's old one."""
    generic = headers.get("OpenStack-API-Version", "")
    for part in reversed(generic.split(",")):
        name, _, version = part.strip().partition(" ")
        if name.lower() == service.name and version:
            return version.strip()
    return headers.get(service.legacy_header, None) if service.legacy_header else None


def negotiate(service: Service, headers: Mapping[str, str]) -> Version:
    """The version to answer at. Raises Invalid (malformed) or NotAcceptable (outside the range)."""
    if service.minimum is None or service.maximum is None:
        return (0, 0)
    text = _asked(service, headers)
    if text is None:
        return service.minimum
    if text == "latest":
        return service.maximum
    version = parse(text)
    if not service.minimum <= version <= service.maximum:
        raise NotAcceptable(
            f"Version {write(version)} is not supported by the API. "
            f"Minimum is {write(service.minimum)} and maximum is {write(service.maximum)}."
        )
    return version


def echo(service: Service, version: Version) -> dict[str, str]:
    """Answer headers that say which version was spoken."""
    if service.minimum is None:
        return {}
    found = {"OpenStack-API-Version": f"{service.name} {write(version)}", "Vary": "OpenStack-API-Version"}
    if service.legacy_header:
        found[service.legacy_header] = write(version)
        found["Vary"] += f", {service.legacy_header}"
    return found


def available(since: str = "2.1", until: str | None = None) -> Callable[[F], F]:
    """A view method that exists in a span of versions only; 404 outside of it."""
    first, last = parse(since), parse(until) if until else None

    def wrap(method: F) -> F:
        @wraps(method)
        def inner(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
            version = request.api_version
            if version < first or (last is not None and version > last):
                raise NotFound
            return method(self, request, *args, **kwargs)

        inner.span = (first, last)  # type: ignore[attr-defined]  # read by the architecture tests
        return inner  # type: ignore[return-value]

    return wrap


Schema = dict[str, Any]


@lru_cache(maxsize=4096)
def _compiled(key: int, schema: HashableSchema, is_discreet: bool) -> Any:
    # a schema marked writeOnly holds secrets: what was sent is never repeated in an error text
    mask = "value" if is_discreet or schema.schema.get("writeOnly") else None
    return jsonschema_rs.Draft202012Validator(schema.schema, validate_formats=True, mask=mask)


class HashableSchema:
    """A schema compared by identity, so that its compiled form can be kept."""

    __slots__ = ("schema",)

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    def validator(self, is_discreet: bool = False) -> Any:
        """The compiled form; a discreet one does not repeat in its errors what was sent."""
        return _compiled(id(self), self, is_discreet)


class VersionedSchema:
    """A JSON Schema and its changes: ``VersionedSchema(base).amend("2.19", allow_description)``.

    Each amendment gets a deep copy of what was there and returns (or changes) it.
    """

    def __init__(self, base: Schema) -> None:
        self._steps: list[tuple[Version, HashableSchema]] = [((0, 0), HashableSchema(base))]

    def amend(self, version: str, change: Callable[[Schema], Schema | None]) -> VersionedSchema:
        schema = copy.deepcopy(self._steps[-1][1].schema)
        changed = change(schema)
        self._steps.append((parse(version), HashableSchema(schema if changed is None else changed)))
        return self

    def at(self, version: Version) -> HashableSchema:
        for since, schema in reversed(self._steps):
            if version >= since:
                return schema
        return self._steps[0][1]


class Field:
    """One answer field: an attribute name, or a function of (row, context), within a span of versions."""

    __slots__ = ("first", "get", "last")

    def __init__(
        self, source: str | Callable[[Any, Any], Any], since: str | None = None, until: str | None = None
    ) -> None:
        if isinstance(source, str):
            getter = attrgetter(source)
            self.get: Callable[[Any, Any], Any] = lambda row, _context: getter(row)
        else:
            self.get = source
        self.first = parse(since) if since else (0, 0)
        self.last = parse(until) if until else (999, 999)


class VersionedShape:
    """An answer's shape: ``fields`` maps names to Field (or a tuple of Fields with disjoint spans).

    ``render(row, version, context)`` gives a dict. Rows are model instances or named tuples; no query is made here.
    """

    fields: ClassVar[Mapping[str, Field | tuple[Field, ...]]]

    @classmethod
    def at(cls, version: Version) -> list[tuple[str, Callable[[Any, Any], Any]]]:
        return _plan(cls, version)  # type: ignore[arg-type]  # a class is hashable

    @classmethod
    def render(cls, row: Any, version: Version, context: Any = None) -> dict[str, Any]:
        return {name: get(row, context) for name, get in cls.at(version)}


@lru_cache(maxsize=2048)
def _plan(shape: Any, version: Version) -> list[tuple[str, Callable[[Any, Any], Any]]]:
    plan = []
    for name, declared in shape.fields.items():
        for field in declared if isinstance(declared, tuple) else (declared,):
            if field.first <= version <= field.last:
                plan.append((name, field.get))
    return plan
