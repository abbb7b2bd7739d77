"""Junk of every kind on every route: an answer is the service's own JSON, never a 500, and never long (S30, S31)."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from computecloud.http.bodies import DEEPEST, LARGEST_BODY
from computecloud.http.microversions import VersionedSchema, write
from computecloud.http.services import Version
from instances.api.server_actions import TABLE as SERVER_ACTIONS
from tests.contract.walk import text_of, versions
from tests.support.client import Person
from tests.support.routes import Route, api_routes
from tests.support.samples import sample
from tests.support.tenant import Tenant

ROUTES = api_routes()
SERVICES = ("identity", "image", "network", "compute", "placement", "native")
LONGEST_ERROR = 4096
JSON = "application/json"
ENVELOPES = {
    "identity": {"error"}, "image": {"code", "title", "message"}, "network": {"NeutronError"}, "native": {"error"},
    "placement": {"errors"},
}  # fmt: skip
NOVA_FAULTS = {
    "badRequest", "unauthorized", "forbidden", "itemNotFound", "badMethod", "conflictingRequest", "overLimit",
    "badMediaType", "notImplemented", "serviceUnavailable", "computeFault",
}  # fmt: skip

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 1.5, -0.0, 1e308, 2**31, 2**63, 2**64, -(2**63) - 1, "", " ", "a", "\x01", "\t\n",
    "x" * 300, "x" * 70_000, "é\u202e\ufeff", "\U0001f4a9", "\ufffe", "0", "-1", "1e3", "99999999999999999999", "null",
    "'; DROP TABLE x; --", "%s%n", "../../etc/passwd", "<a href=x>", "{0.__class__}", "٣", "\u2028", "10.0.0.0/99",
    "::ffff:1.2.3.4", "0000-00-00T00:00:00Z", "9999-12-31T23:59:59+99:99", "AAAA", "a" * 32, "b" * 32,
    [], {}, [None], [[]], [{}], ["x"] * 400, {"a": 1}, {"": ""}, {"x" * 300: "x" * 300}, [1, "1", None], [[["x"]]],
    dict.fromkeys([f"k{n}" for n in range(300)], "v"),
)  # fmt: skip
RAW = (
    b"", b"{", b"null", b"[]", b"5", b'"x"', b"[" * 100_000, b'{"a":' * 5_000, b"\xff\xfe{}", b"\xef\xbb\xbf{}",
    b'{"x": "\\u0000"}', b'{"x": "\\ud800"}', b'{"\\ud800": 1}', b'{"x": NaN}', b'{"x": 1e999}', b'{"x": -1e999}',
    b'{"x": ' + b"9" * 500 + b"}", b'{"x": 1, "x": 2}', b"\x00", b"{}" * 2, b"<xml/>", b"a=b&c=d",
)  # fmt: skip
ODD_TEXTS = (
    "", "x", "-1", "0", "1", "99999999999999999999", "9" * 400, "%00", "%ff", "'", "%25", "(a%2B)%2B%24", "%28", "%5B",
    "x" * 3000, "%E2%80%AE", "True", "a=b,c", "in:", "in:a,%22", "gt:x", "*", "_", "id", "id:asc,name:desc", "password",
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-13-45", "%F0%9F%92%A9", "1e400", "NaN", "..%2F..",
    "VCPU:1", "VCPU:-1", "VCPU:99999999999999999999", "in:VCPU",
)  # fmt: skip
ODD_IDS = (
    "x", "-1", "0", "99999999999999999999", "x" * 5000, "%00", "%01", "%ff", "%C3%A9%E2%80%AE", "..%2F..%2Fetc",
    "%2e%2e", "'", "%25s", "a%20b", "%0d%0aX-Bad:%201", "%F0%9F%92%A9", "x%3Fy", "(a%2B)%2B%24", "1e5", "01",
    "%D9%A3", "null",
)  # fmt: skip


def assert_sane(answer: Any, service: str, what: str) -> None:
    """JSON in the service's words, no server's fault (501 is a plain answer), short when it is a refusal."""
    text = text_of(answer)
    status = answer.status_code
    assert status < 500 or status == 501, f"{what}: {status} {text[:500]}"
    if "X-Bad" in answer.headers:
        raise AssertionError(f"{what}: a header of the caller's making")
    if status < 400 or not text:
        return
    assert len(text.encode()) < LONGEST_ERROR, f"{what}: {len(text)} characters of refusal"
    assert answer.headers["Content-Type"].startswith(JSON), f"{what}: {answer.headers['Content-Type']}"
    keys = set(orjson.loads(text))
    fits = keys == ENVELOPES[service] if service in ENVELOPES else len(keys) == 1 and keys <= NOVA_FAULTS
    assert fits, f"{what}: {text[:300]}"


def headers_for(route: Route, version: Version | None) -> dict[str, str]:
    return {"OpenStack-API-Version": f"{route.service} {write(version)}"} if version else {}


def routes_of(service: str) -> list[Route]:
    return [route for route in ROUTES if route.service == service]


def bodied(service: str) -> Iterator[tuple[Route, str, VersionedSchema]]:
    for route in routes_of(service):
        for verb in route.actions:
            schema = getattr(route.method(verb), "accepts", None)
            if schema is not None:
                yield route, verb, schema
    if service == "compute":
        [act] = [route for route in ROUTES if route.path.endswith("/servers/<str:server_id>/action")]
        for entry in SERVER_ACTIONS.values():
            yield act, "post", entry.schema


def places(schema: Any, root: Any, prefix: tuple[Any, ...] = (), depth: int = 0) -> Iterator[tuple[Any, ...]]:
    """Paths of everything a schema speaks of, the first items of lists too."""
    if not isinstance(schema, dict) or depth > 5:
        return
    if "$ref" in schema:
        found = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        yield from places(found, root, prefix, depth + 1)
    for name, inner in schema.get("properties", {}).items():
        yield (*prefix, name)
        yield from places(inner, root, (*prefix, name), depth + 1)
    if isinstance(schema.get("items"), dict):
        yield (*prefix, 0)
        yield from places(schema["items"], root, (*prefix, 0), depth + 1)
    for key in ("oneOf", "anyOf", "allOf"):
        for inner in schema.get(key, []):
            yield from places(inner, root, prefix, depth + 1)


def planted(body: Any, place: tuple[Any, ...], value: Any) -> Any:
    """A copy of the body with a value at a place, which is made where it is missing."""
    if not place:
        return value
    step, *rest = place
    if step == 0:
        first = body[0] if isinstance(body, list) and body else {}
        return [planted(first, tuple(rest), value)]
    kept = body if isinstance(body, dict) else {}
    return {**kept, step: planted(kept.get(step, {}), tuple(rest), value)}


def send(person: Person, verb: str, path: str, body: Any, headers: dict[str, str]) -> Any:
    """The body as JSON, numbers of any size and lone surrogates too."""
    return person.request(verb.upper(), path, data=json.dumps(body).encode(), content_type=JSON, headers=headers)


def deletes_last(routes: list[Route]) -> list[tuple[Route, str]]:
    """(route, verb), those that take A's things away at the end."""
    return sorted(((route, verb) for route in routes for verb in route.actions), key=lambda one: one[1] == "delete")


def people(tenant: Tenant) -> Iterator[Person]:
    return itertools.cycle((tenant.cloud.as_member, tenant.cloud.as_admin))


@pytest.mark.parametrize("service", SERVICES)
def test_no_value_in_a_body_makes_a_service_fail(tenant: Tenant, service: str) -> None:
    person, odd = people(tenant), itertools.cycle(ODD)
    for route, verb, schema in bodied(service):
        for version in versions(route, verb)[-1:]:
            asked = schema.at(version or (0, 0)).schema
            body, headers = sample(asked), headers_for(route, version)
            path = route.fill(tenant.at(version))
            spots = [(), *dict.fromkeys(places(asked, asked))]
            tries = 14 if len(spots) < 12 else 5
            for place, value in ((place, next(odd)) for place in spots for _ in range(tries)):
                sent = planted(body, place, value)
                answer = send(next(person), verb, path, sent, headers)
                assert_sane(answer, service, f"{verb} {route.path} {'.'.join(map(str, place))}={str(value)[:60]}")


@pytest.mark.parametrize("service", SERVICES)
def test_no_bytes_make_a_service_fail(tenant: Tenant, service: str) -> None:
    person, raw = people(tenant), itertools.cycle(RAW)
    for route, verb in deletes_last(routes_of(service)):
        if verb == "get" or route.path.endswith(("/file", "/stage")):
            continue
        path, headers = route.fill(tenant.values), headers_for(route, versions(route, verb)[-1])
        for data in (next(raw) for _ in range(7)):
            answer = next(person).request(verb.upper(), path, data=data, content_type=JSON, headers=headers)
            assert_sane(answer, service, f"{verb} {route.path} {data[:40]!r}")


@pytest.mark.parametrize("service", SERVICES)
def test_no_query_makes_a_service_fail(tenant: Tenant, service: str) -> None:
    person, odd = people(tenant), itertools.cycle(ODD_TEXTS)
    common = ("limit", "marker", "sort_key", "sort_dir", "fields", "name", "id__in", "project__x", "page_reverse")
    for route, verb in deletes_last(routes_of(service)):
        if verb not in ("get", "delete"):
            continue
        known = [*getattr(route.method(verb), "query", {}), *common]
        path = route.fill(tenant.values)
        for version in versions(route, verb):
            for name in known if verb == "get" else common[:2]:
                for text in (next(odd) for _ in range(2)):
                    url = f"{path}?{name}={text}"
                    answer = next(person).request(verb.upper(), url, headers=headers_for(route, version))
                    assert_sane(answer, service, f"{verb} {url[:200]}")


@pytest.mark.parametrize("service", SERVICES)
def test_no_id_makes_a_service_fail(tenant: Tenant, service: str) -> None:
    person, odd = people(tenant), itertools.cycle(ODD_IDS)
    for route in routes_of(service):
        for parameter in route.parameters:
            for verb in route.actions:
                version = versions(route, verb)[-1]
                for text in (next(odd) for _ in range(6 if verb == "get" else 2)):
                    path = route.fill({**tenant.at(version), parameter: text})
                    answer = next(person).request(verb.upper(), path, headers=headers_for(route, version))
                    assert_sane(answer, service, f"{verb} {path[:200]}")
                    assert "root:" not in text_of(answer)


@pytest.mark.parametrize("service", ["compute", "placement"])
@pytest.mark.parametrize(
    "text", ["x", "2.", "2.1.1", "-1.0", "2.99999999999999999999", "0.0", "٢.١", "latest ", "2.1\t"]
)
def test_no_version_makes_a_service_fail(tenant: Tenant, service: str, text: str) -> None:
    for name in ("OpenStack-API-Version", "X-OpenStack-Nova-API-Version"):
        sent = f"{service} {text}" if name.startswith("Open") else text
        answer = tenant.cloud.as_member.get(f"/{service}/", headers={name: sent.encode().decode("latin-1")})
        assert_sane(answer, service, f"{name}: {sent}")
        assert answer.status_code in (200, 400, 406)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=40)
    | st.text(st.characters(), max_size=9) | st.sampled_from(["a" * 32, "10.0.0.1", "", "public", "1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
BODIED = [one for service in SERVICES for one in bodied(service)]


@settings(
    max_examples=250, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(data=st.data())
def test_whatever_is_sent(tenant: Tenant, data: st.DataObject) -> None:
    """Valid bodies with some of their parts replaced by anything that JSON can say."""
    route, verb, schema = data.draw(st.sampled_from(BODIED))
    version = data.draw(st.sampled_from(versions(route, verb)))
    asked = schema.at(version or (0, 0)).schema
    body = sample(asked)
    spots = [(), *dict.fromkeys(places(asked, asked))]
    for place in data.draw(st.lists(st.sampled_from(spots), min_size=1, max_size=3)):
        body = planted(body, place, data.draw(VALUES))
    person = data.draw(st.sampled_from([tenant.cloud.as_member, tenant.cloud.as_admin]))
    path, headers = route.fill(tenant.at(version)), headers_for(route, version)
    answer = send(person, verb, path, body, headers)
    assert_sane(answer, route.service, f"{verb} {path} at {version}: {str(body)[:300]}")


# --- S30


class Unreadable:
    """A request body that must not be touched."""

    def read(self, *_size: int) -> bytes:
        raise AssertionError("the body was read")

    readline = read


@pytest.mark.row("S30")
@pytest.mark.parametrize("service", SERVICES)
def test_s30_a_body_of_fifty_megabytes_is_refused_unread(tenant: Tenant, service: str) -> None:
    path = {"identity": "/identity/v3/users", "image": "/image/v2/images", "network": "/network/v2.0/networks"}.get(
        service,
        {"placement": "/placement/usages", "native": "/api/v1/operations"}.get(service, "/compute/v2.1/servers"),
    )
    unread = {"wsgi.input": Unreadable(), "CONTENT_LENGTH": str(50_000_000), "CONTENT_TYPE": JSON}
    answer = tenant.cloud.as_member.post(path, **unread)
    assert answer.status_code == 413
    assert_sane(answer, service, path)


@pytest.mark.row("S30")
def test_s30_the_caps_hold(tenant: Tenant) -> None:
    servers, person = "/compute/v2.1/servers", tenant.cloud.as_member

    def post(data: bytes) -> Any:
        return person.post(servers, data=data, content_type=JSON)

    assert post(b"[" * 100_000).status_code == 400
    assert post(b"[" * DEEPEST + b"]" * DEEPEST).status_code == 400
    deep = post(b'{"server":' * (DEEPEST + 1) + b"1" + b"}" * (DEEPEST + 1))
    assert deep.status_code == 400 and "nested deeper" in deep.json()["badRequest"]["message"]
    wide = post(orjson.dumps({str(number): 0 for number in range(10_001)}))
    assert wide.status_code == 400 and "more than" in wide.json()["badRequest"]["message"]
    assert post(b'"' + b"x" * LARGEST_BODY + b'"').status_code == 413
    lying = person.post(servers, data=b'"' + b"x" * LARGEST_BODY + b'"', content_type=JSON, CONTENT_LENGTH="10")
    assert lying.status_code == 400
