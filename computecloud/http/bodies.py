"""Request bodies and queries: JSON with caps, checked against a schema before a view sees them (S30)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import wraps
from typing import Any, TypeVar

import jsonschema_rs
import orjson

from computecloud.core.errors import Invalid, TooLarge, UnsupportedMedia
from computecloud.core.logs import SECRET_KEYS
from computecloud.http.microversions import HashableSchema, Schema, VersionedSchema, parse

LARGEST_BODY = 256 * 1024
DEEPEST = 32
MOST_KEYS = 10_000
F = TypeVar("F", bound=Callable[..., Any])


def _measure(value: Any, depth: int, budget: list[int]) -> None:
    if depth > DEEPEST:
        raise Invalid(f"The request body is nested deeper than {DEEPEST} levels.")
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    budget[0] -= len(children)
    if budget[0] < 0:
        raise Invalid(f"The request body has more than {MOST_KEYS} values.")
    for child in children:
        if isinstance(child, dict | list):
            _measure(child, depth + 1, budget)


def read_json(request: Any, media: Collection[str] = ("application/json",)) -> Any:
    """The parsed body of a request, of one of the given media types. Raises Invalid, TooLarge or UnsupportedMedia."""
    raw = getattr(request, "_request", request)
    content_type = raw.headers.get("Content-Type", "application/json").partition(";")[0].strip().lower()
    if content_type and content_type not in media:
        raise UnsupportedMedia
    if int(raw.headers.get("Content-Length") or 0) > LARGEST_BODY:
        raise TooLarge
    data = raw.body
    if len(data) > LARGEST_BODY:
        raise TooLarge
    if not data:
        raise Invalid("The request body is empty; a JSON object is needed.")
    if b"\\u0000" in data:
        raise Invalid("The request body holds the character NUL.")
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError as problem:
        raise Invalid("Malformed request body: it is not valid JSON.") from problem
    _measure(body, 1, [MOST_KEYS])
    return body


def _words(problem: jsonschema_rs.ValidationError) -> str:
    path = ".".join(str(part) for part in problem.instance_path)
    text = problem.message[:400]
    return f"Invalid input for field/attribute {path}. {text}" if path else text


def check(schema: HashableSchema, value: Any) -> None:
    """Raises Invalid with the place and the reason; values are left out where a secret is among them (S51)."""
    try:
        schema.validator().validate(value)
    except jsonschema_rs.ValidationError as problem:
        if not _near_a_secret(problem.instance_path, value):
            raise Invalid(_words(problem)) from None
        for masked in schema.validator(is_discreet=True).iter_errors(value):
            raise Invalid(_words(masked)) from None


def _near_a_secret(place: Sequence[str | int], value: Any) -> bool:
    """Whether what is wrong at a place of a body is a secret, or holds one."""
    for step in place:
        if isinstance(step, str) and SECRET_KEYS.search(step):
            return True
        value = value[step]
    return _holds_secret(value)


def _holds_secret(value: Any) -> bool:
    if isinstance(value, dict):
        return any(SECRET_KEYS.search(name) or _holds_secret(one) for name, one in value.items())
    return isinstance(value, list) and any(map(_holds_secret, value))


def accepts(schema: Schema | VersionedSchema) -> Callable[[F], F]:
    """The view method gets ``body``: the request's JSON, valid at the request's version."""
    versioned = schema if isinstance(schema, VersionedSchema) else VersionedSchema(schema)

    def wrap(method: F) -> F:
        @wraps(method)
        def inner(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
            body = read_json(request)
            check(versioned.at(request.api_version), body)
            return method(self, request, *args, body=body, **kwargs)

        inner.accepts = versioned  # type: ignore[attr-defined]  # read by the contract tests
        return inner  # type: ignore[return-value]

    return wrap


def query(allowed: Mapping[str, Schema], strict_since: str | None = None) -> Callable[[F], F]:
    """The view method gets ``params``: {name: [values]}, each value valid for the schema of its name.

    Names that are not allowed are dropped, and from version ``strict_since`` on ("always": at any) refused.
    """
    checks = {name: HashableSchema(schema) for name, schema in allowed.items()}
    strict = (0, 0) if strict_since == "always" else parse(strict_since) if strict_since else (999, 999)

    def wrap(method: F) -> F:
        @wraps(method)
        def inner(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
            params: dict[str, list[str]] = {}
            for name, values in getattr(request, "_request", request).GET.lists():
                if name not in checks:
                    if request.api_version >= strict:
                        raise Invalid(f"Additional properties are not allowed ('{name[:60]}' was unexpected)")
                    continue
                for value in values:
                    try:
                        checks[name].validator().validate(value)
                    except jsonschema_rs.ValidationError as problem:
                        raise Invalid(
                            f"Invalid input for query parameters {name}. Value: {value[:100]}. {problem.message[:300]}"
                        ) from None
                params[name] = list(values)
            return method(self, request, *args, params=params, **kwargs)

        inner.query = dict(allowed)  # type: ignore[attr-defined]  # read by the contract tests
        return inner  # type: ignore[return-value]

    return wrap
