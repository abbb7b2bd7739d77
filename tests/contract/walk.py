"""Asking every route in turn: which version, which body, and as whom."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from computecloud.http.microversions import write
from computecloud.http.services import BY_NAME, Version
from instances.api.server_actions import LATER
from instances.api.server_actions import TABLE as SERVER_ACTIONS
from tests.support.client import Person
from tests.support.routes import Route
from tests.support.samples import sample
from tests.support.tenant import Things

EVERY_METHOD = ("get", "put", "patch", "delete", "post")
PATCH = "application/openstack-images-v2.1-json-patch"


def versions(route: Route, verb: str) -> list[Version | None]:
    """The oldest and the newest version that serve this method."""
    service = BY_NAME[route.service]
    if service.minimum is None or service.maximum is None:
        return [None]
    first, last = getattr(route.method(verb), "span", (None, None)) if verb in route.actions else (None, None)
    return sorted({max(first or service.minimum, service.minimum), last or service.maximum})


def bodies(route: Route, verb: str, version: Version | None) -> list[Any]:
    """Bodies that pass the schema. Actions of a server: one for each action."""
    if verb in ("get", "delete"):
        return [None]
    if route.path.endswith("servers/<str:server_id>/action") and verb == "post":
        known = [sample(entry.schema.at(version or (0, 0)).schema) for entry in SERVER_ACTIONS.values()]
        return [*known, *({name: {}} for name in LATER)]
    schema = getattr(route.method(verb), "accepts", None) if verb in route.actions else None
    if schema is None:
        return [[{"op": "replace", "path": "/name", "value": "taken"}] if verb == "patch" else {}]
    return [sample(schema.at(version or (0, 0)).schema)]


def ask(person: Person, route: Route, verb: str, tenant: Things, version: Version | None, body: Any = None) -> Any:
    headers = {}
    if version is not None:
        headers["OpenStack-API-Version"] = f"{route.service} {write(version)}"
    path = quote(route.fill(tenant.at(version)))
    if verb == "put" and path.endswith(("/file", "/stage")):
        answer = person.put(path, data=b"bytes")
        answer.told = text_of(answer)
        return answer
    media = PATCH if verb == "patch" and route.service == "image" else "application/json"
    kind = {"content_type": media} if body is not None else {}
    answer = person.request(verb.upper(), path, body, headers=headers, **kind)
    answer.told = text_of(answer)
    return answer


def text_of(answer: Any) -> str:
    """What the answer holds; a stream is read to its end, which closes it.

    Not ``close()``: that ends the request once more, and with it a database connection inside the test's transaction.
    """
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return bytes(content).decode(errors="replace")


def is_owned(route: Route, tenant: Things) -> bool:
    """Whether a parameter of the path names something of A's (or the operator's)."""
    return any(parameter in tenant.owned for parameter in route.parameters)
