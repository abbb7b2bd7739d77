"""Rows of the security table that one process can show, each named by its number."""

from __future__ import annotations

import gc
import time
import tracemalloc
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest
from django.apps import apps
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from computecloud import conf as settings
from computecloud.core.errors import Unauthorized
from computecloud.http.microversions import write
from hosts.models import Agent
from instances.models import Flavor, Instance
from operations.models import Operation
from tasks.conductor import door
from tests.contract.walk import ask, text_of, versions
from tests.support.auth import PROJECT_A, PROJECT_B
from tests.support.client import Cloud, Person
from tests.support.identity import PASSWORD, TOKENS, World, password_login, project_scope
from tests.support.routes import Route, api_routes
from tests.support.servers import IMAGE, make_flavor, make_image, make_server
from tests.support.tenant import V2, Tenant

IMAGES = "/image/v2/images"
SERVERS = "/compute/v2.1/servers"
LISTS = [route for route in api_routes() if "get" in route.actions and not route.parameters]
MARKUP = "\"x</name><devices><disk type='file'><source file='/c'/></disk></devices><name>&amp;<![CDATA[]]>"


def rows_of_every_table() -> dict[str, int]:
    return {model._meta.label: model._default_manager.count() for model in apps.get_models()}


# --- S24: a secret that is none


@pytest.mark.row("S24")
@pytest.mark.parametrize("key", ["", "short", "x" * 31])
@pytest.mark.parametrize("role", ["cloud", "conductor"])
def test_s24_nothing_starts_with_an_empty_or_short_secret(monkeypatch: Any, key: str, role: str) -> None:
    monkeypatch.setenv("COMPUTECLOUD_SECRET_KEY", key)
    monkeypatch.setenv("COMPUTECLOUD_ROLE", role)
    with pytest.raises(settings.ConfigurationError, match="secret_key"):
        settings.conf.__wrapped__()


@pytest.mark.row("S24")
def test_s24_an_older_secret_may_not_be_short_either(monkeypatch: Any) -> None:
    monkeypatch.setenv("COMPUTECLOUD_PREVIOUS_SECRET_KEYS", '["old"]')
    with pytest.raises(settings.ConfigurationError, match="secret_key"):
        settings.conf.__wrapped__()


@pytest.mark.row("S24")
def test_s24_an_agent_without_a_secret_is_nobody(db: None) -> None:
    from tests.support.machines import make_host

    host = make_host()
    for secret in ("", "x", host.agent.secret_hash):
        with pytest.raises(Unauthorized):
            door.agent_of(host.id, secret)
    agent, secret = Agent.enrol()
    host.agent = agent
    host.save()
    door.forget()
    assert door.agent_of(host.id, secret)[0] == agent.id
    with pytest.raises(Unauthorized):
        door.agent_of(host.id, secret + "x")
    door.forget()


# --- S26: markup in a name


@pytest.mark.row("S26")
def test_s26_a_name_with_markup_is_a_name_and_nothing_else(tenant: Tenant) -> None:
    from hosts.drivers.libvirt import domain_xml
    from hosts.drivers.libvirt.domain_xml import Platform, Wiring
    from instances.spec import guest_spec

    make_image()
    make_flavor()

    def definition(name: str) -> ElementTree.Element:
        body = {"server": {"name": name, "flavorRef": "1", "imageRef": IMAGE, "networks": "none"}}
        made = tenant.cloud.as_member.at("2.37").post(SERVERS, body)
        assert made.status_code == 202, made.content
        server = Instance.objects.get(id=made.json()["server"]["id"])
        assert server.name == name
        spec = guest_spec(server, Operation.objects.get(subject_id=server.id))
        return ElementTree.fromstring(domain_xml.build(spec, Wiring([], {}), Platform()))

    wild, tame = definition(MARKUP), definition("tame")
    assert [one.tag for one in wild.iter()] == [one.tag for one in tame.iter()]
    assert wild.findall(".//disk") == [] and wild.findtext("title") == MARKUP
    assert wild.findtext("name", "").startswith("instance-")


@pytest.mark.row("S26")
@pytest.mark.parametrize("code", ["\\u0000", "\\u0001", "\\u001b", "\\ufffe", "\\ud800"])
def test_s26_what_xml_cannot_hold_is_refused_at_the_door_or_cleaned(tenant: Tenant, code: str) -> None:
    from hosts.drivers.libvirt import domain_xml
    from hosts.drivers.libvirt.domain_xml import Platform, Wiring
    from tests.drivers import build

    data = '{"server": {"name": "aCODEb", "flavorRef": "private", "imageRef": "", "networks": "none"}}'
    answer = tenant.cloud.as_member.at("2.37").post(
        SERVERS, data=data.replace("CODE", code).encode(), content_type="application/json"
    )
    assert answer.status_code == 400, answer.content
    if code != "\\ud800":
        name = code.encode().decode("unicode_escape")
        ElementTree.fromstring(domain_xml.build(build.guest(name=name), Wiring([], {}), Platform()))


# --- S29: request keys are not ORM keywords


NOSY = (
    "project__user__password__startswith=p&user__password=x&id__in=1&sort_key=user__password&pk__gte=0"
    "&host__agent__secret_hash__gte=a"
)


@pytest.mark.row("S29")
@pytest.mark.parametrize("person", ["as_member", "as_admin"])
def test_s29_filters_and_sort_keys_come_from_a_list(tenant: Tenant, person: str) -> None:
    """Refused, or ignored: then the answer is that of the plain list, by the same statements."""
    wrong = []
    asker: Person = getattr(tenant.cloud, person)
    for route in LISTS:
        for version in versions(route, "get"):
            headers = {"OpenStack-API-Version": f"{route.service} {write(version)}"} if version else {}
            for nosy in (NOSY, *NOSY.split("&")):
                with CaptureQueriesContext(connection) as asked:
                    answer = asker.get(f"{route.path}?{nosy}", headers=headers)
                assert "secret_hash >=" not in str(asked.captured_queries) and "argon2" not in text_of(answer)
                if answer.status_code in (400, 403, 404, 410):
                    continue
                if route.path == IMAGES:  # any other name is one of images' own properties
                    assert answer.json()["images"] == []
                    continue
                plain = asker.get(route.path, headers=headers)
                same = answer.status_code == plain.status_code and kept(answer) == kept(plain)
                if not same:
                    wrong.append(
                        f"{route.path}?{nosy[:60]} at {version}: {answer.status_code} {answer.content[:200]!r}"
                    )
    assert not wrong, "\n".join(wrong)


@pytest.mark.row("S29")
def test_s29_an_image_is_found_by_a_property_however_it_is_called(tenant: Tenant) -> None:
    for name in ("id__in", "user__password", "owner__gte", "properties__key", "0"):
        made = tenant.cloud.as_member.post(IMAGES, {"name": "x", name: "secret"}).json()
        found = tenant.cloud.as_member.get(f"{IMAGES}?{name}=secret").json()["images"]
        assert [one["id"] for one in found] == [made["id"]]
        assert tenant.cloud.as_member.get(f"{IMAGES}?{name}=s").json()["images"] == []


def kept(answer: Any) -> Any:
    """The answer without links that repeat the query and without what the clock changes."""
    if not answer.headers.get("Content-Type", "").endswith("json"):
        return answer.content
    body = answer.json()
    for key in [key for key in body if key.endswith("links") or key in ("links", "next", "first", "self")]:
        del body[key]
    for zone in body.get("availabilityZoneInfo", []):
        for binaries in (zone.get("hosts") or {}).values():
            for service in binaries.values():
                service.pop("updated_at")
    for service in body.get("services", []):
        service.pop("updated_at", None)
    return body if "tenant_usages" not in body else sorted(body)


# --- S31: nothing a caller names costs without bound


@pytest.mark.row("S31")
def test_s31_a_page_holds_a_thousand_at_most(cloud: Cloud) -> None:
    Flavor.objects.bulk_create(Flavor(id=f"f{n}", name=f"f{n}", vcpus=1, ram_mb=64) for n in range(1001))
    for path in ("/compute/v2.1/flavors", "/compute/v2.1/flavors/detail"):
        assert len(cloud.as_member.get(f"{path}?limit=100000000").json()["flavors"]) == 1000
        assert len(cloud.as_member.get(path).json()["flavors"]) == 1000


@pytest.mark.row("S31")
@pytest.mark.parametrize(
    "pattern", ["(a%2B)%2B%24", "(a|a)*b", "((a*)*)*%24", "(%3F=a)a*a*a*a*a*a*b", "a{1,9999}b", "(.*)(.*)(.*)x"]
)
def test_s31_a_pattern_cannot_hold_a_worker(cloud: Cloud, pattern: str) -> None:
    make_flavor()
    for number in range(20):
        make_server(name="a" * 200 + "!", id=f"{number:08d}-0000-4000-8000-000000000000")
    started = time.monotonic()
    for name in ("name", "ip", "ip6", "hostname", "description"):
        for person in (cloud.as_member, cloud.as_admin):
            answer = person.get(f"{SERVERS}?limit=100000000&{name}={pattern}")
            assert answer.status_code in (200, 400)
    assert time.monotonic() - started < 10, "1 s for each at most"


@pytest.mark.row("S31")
def test_s31_unknown_paths_leave_nothing_behind(db: None) -> None:
    services = ("compute/v2.1", "identity/v3", "image/v2", "network/v2.0", "placement", "api/v1", "x")
    # without Django's test client, which itself keeps something of each request
    factory, handler = RequestFactory(), WSGIHandler()
    handler.load_middleware()

    def strangers(first: int, last: int) -> None:
        for number in range(first, last):
            path = f"/{services[number % 7]}/no-such-{number}-{'y' * 200}?q={number}"
            for headers in ({}, {"X-Auth-Token": "member-a"}, {"X-Auth-Token": f"junk-{number}"}):
                answer = handler.get_response(factory.get(path, headers=headers))
                assert answer.status_code in (401, 404)

    strangers(0, 300)
    tracemalloc.start()
    try:
        gc.collect()  # what waits for the collector is not kept
        before, _ = tracemalloc.get_traced_memory()
        strangers(300, 1300)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 600_000, f"{after - before} bytes kept for 3000 unknown paths"


# --- S32: who is nobody leaves nothing


@pytest.mark.row("S32")
def test_s32_anonymous_requests_make_no_rows(tenant: Tenant) -> None:
    nobody = tenant.cloud.anonymous
    before = rows_of_every_table()
    for route in api_routes():
        for verb in route.actions:
            text_of(ask(nobody, route, verb, tenant, versions(route, verb)[-1], {} if verb != "get" else None))
    pages = ("/dashboard/", "/dashboard/auth-check", "/admin/", "/admin/login/", "/static/x", "/", "/favicon.ico")
    for page in pages:
        answer = nobody.get(page)
        assert answer.status_code < 500
        assert "computecloud_session" not in answer.cookies
    for number in range(5):
        assert nobody.post(TOKENS, password_login(f"who-{number}", "x" * 20)).status_code in (401, 429)
    after = rows_of_every_table()
    grown = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    assert grown == {}


@pytest.mark.row("S32")
def test_s32_a_logged_value_has_a_longest_form() -> None:
    from computecloud.core import logs

    event = logs._redact(None, "warning", {"event": "x" * 100_000, "path": "y" * 100_000, "deep": {"z": "z" * 100_000}})
    assert len(logs._dumps(event)) < 10_000


# --- S37: attributes that are not the caller's to write


READ_ONLY: tuple[tuple[str, str, tuple[str, str], dict[str, Any]], ...] = (
    *(
        ("put", f"{V2}/{kind}/ID", (kind, "pk"), {key: {name: value}})
        for kind, key in (
            ("networks", "network"), ("subnets", "subnet"), ("ports", "port"), ("routers", "router"),
            ("security-groups", "security_group"), ("subnetpools", "subnetpool"),
        )
        for name, value in (
            ("id", "b" * 32), ("project_id", PROJECT_B), ("tenant_id", PROJECT_B), ("status", "ERROR"),
            ("created_at", "2020-01-01T00:00:00Z"), ("revision_number", 99), ("shared", True),
        )
    ),
    *(
        ("put", f"{V2}/ports/ID", ("ports", "pk"), {"port": wanted})
        for wanted in (
            {"device_owner": "network:dhcp"}, {"binding:host_id": "h2"}, {"binding:profile": {"a": "b"}},
            {"binding:vnic_type": "direct"}, {"network_id": "b" * 32},
            {"device_owner": "network:dhcp", "binding:host_id": "h2", "project_id": PROJECT_B},
        )
    ),
    ("put", f"{V2}/networks/ID", ("networks", "pk"), {"network": {"router:external": True}}),
    ("put", f"{V2}/networks/ID", ("networks", "pk"), {"network": {"provider:segmentation_id": 7}}),
    *(
        ("put", f"{SERVERS}/ID", ("servers", "server_id"), {"server": {name: value}})
        for name, value in (
            ("status", "ERROR"), ("project_id", PROJECT_B), ("tenant_id", PROJECT_B), ("user_id", "x"), ("host", "h"),
            ("OS-EXT-SRV-ATTR:host", "h"), ("flavorRef", "2"), ("locked", False), ("id", "x"), ("key_name", "k"),
        )
    ),
    ("patch", "/identity/v3/users/ID", ("users", "user_id"), {"user": {"domain_id": "other"}}),
    ("patch", "/identity/v3/users/ID", ("users", "user_id"), {"user": {"is_superuser": True}}),
    ("patch", "/identity/v3/projects/ID", ("projects", "project_id"), {"project": {"id": "x"}}),
    ("patch", "/identity/v3/credentials/ID", ("credentials", "credential_id"), {"credential": {"user_id": "x"}}),
)  # fmt: skip


@pytest.mark.row("S37")
@pytest.mark.parametrize(("verb", "path", "place", "body"), READ_ONLY, ids=lambda one: str(one)[:60])
def test_s37_an_attribute_that_is_not_yours_is_refused(
    tenant: Tenant, verb: str, path: str, place: tuple[str, str], body: dict[str, Any]
) -> None:
    path = path.replace("ID", tenant.values[place])
    admin = tenant.cloud.as_admin
    before = admin.get(path).json()
    answer = tenant.cloud.as_member.request(verb.upper(), path, body)
    assert answer.status_code in (400, 403), answer.content
    assert admin.get(path).json() == before


@pytest.mark.row("S37")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "active"), ("checksum", "0"), ("owner", PROJECT_B), ("size", 1), ("id", "x"), ("locations", []),
        ("created_at", "x"), ("os_hash_value", "0"), ("file", "/x"), ("direct_url", "file:///x"),
        ("visibility", "public"),
    ],
)  # fmt: skip
def test_s37_what_an_image_says_of_itself_is_not_the_callers(tenant: Tenant, name: str, value: Any) -> None:
    path = f"/image/v2/images/{tenant.values['images', 'image_id']}"
    before = tenant.cloud.as_admin.get(path).json()
    change = [{"op": "replace", "path": f"/{name}", "value": value}]
    media = "application/openstack-images-v2.1-json-patch"
    for operation in (change, [{**change[0], "op": "add"}], [{"op": "remove", "path": f"/{name}"}]):
        assert tenant.cloud.as_member.patch(path, operation, content_type=media).status_code in (400, 403, 409)
    if name not in ("visibility", "owner"):
        assert tenant.cloud.as_member.post("/image/v2/images", {name: value}).status_code in (400, 403)
    assert tenant.cloud.as_admin.get(path).json() == before


# --- S43: nobody is who his headers say


FORGED = {
    "X-Roles": "admin", "X-Role": "admin", "X-Is-Admin-Project": "True", "Remote-User": "admin", "X-User-Id": "admin",
    "X-User-Name": "admin", "X-Project-Id": PROJECT_A, "X-Tenant-Id": PROJECT_A, "X-Identity-Status": "Confirmed",
    "X-Service-Roles": "admin", "X-Service-Token": "admin", "X-System-Scope": "all", "X-Domain-Id": "default",
    "OpenStack-System-Scope": "all", "X-Is-Admin": "True", "X-Forwarded-User": "admin", "Authorization": "Basic YTph",
    "Cookie": "computecloud_session=admin", "X-Subject-Token": "admin", "X-Storage-Token": "admin",
}  # fmt: skip


@pytest.mark.row("S43")
def test_s43_headers_but_the_token_are_not_believed(tenant: Tenant) -> None:
    cloud = tenant.cloud
    for path in (
        "/compute/v2.1/os-hypervisors",
        "/placement/resource_providers",
        "/api/v1/hosts",
        "/identity/v3/users",
    ):
        assert cloud.as_admin.get(path).status_code == 200
        assert cloud.as_member.get(path, headers=FORGED, REMOTE_USER="admin").status_code == 403
        assert cloud.anonymous.get(path, headers=FORGED, REMOTE_USER="admin").status_code == 401
    server = f"{SERVERS}/{tenant.values['servers', 'server_id']}"
    assert cloud.as_other.get(server, headers=FORGED, REMOTE_USER="member-a").status_code == 404
    made = cloud.as_other.post(f"{V2}/networks", {"network": {"name": "x"}}, headers=FORGED)
    assert made.json()["network"]["project_id"] == PROJECT_B


# --- S47: no step of a login can be left out


ADMIN = {"name": "admin", "domain": {"id": "default"}}


@pytest.mark.row("S47")
@pytest.mark.parametrize(
    "identity",
    [
        {"methods": [], "password": {"user": ADMIN}},
        {"methods": ["password"], "password": {"user": ADMIN}},
        {"methods": ["password"], "password": {"user": {**ADMIN, "password": None}}},
        {"methods": ["password"], "password": {"user": {**ADMIN, "password": ""}}},
        {"methods": ["password"], "password": {"user": {**ADMIN, "password": True}}},
        {"methods": ["password"], "password": {"user": {**ADMIN, "password": [PASSWORD]}}},
        {"methods": ["password", "token"], "password": {"user": {**ADMIN, "password": "no"}}, "token": {"id": "x"}},
        {"methods": ["token"], "password": {"user": {**ADMIN, "password": PASSWORD}}},
        {"methods": ["external"], "external": {}},
        {"methods": ["external"]},
        {"methods": ["totp"], "totp": {"user": {**ADMIN, "passcode": "1"}}},
        {"methods": ["password"] * 1000, "password": {"user": {**ADMIN, "password": "no"}}},
        {"methods": ["application_credential"], "application_credential": {"id": "x", "secret": ""}},
        {"methods": ["password"], "password": {"user": {**ADMIN, "password": PASSWORD}}, "tfa-challenge": "x"},
        {},
        None,
    ],
    ids=lambda one: str(one)[:50],
)  # fmt: skip
def test_s47_no_step_of_a_login_can_be_left_out(db: None, identity: Any) -> None:
    world = World()
    answer = world.anonymous.post(TOKENS, {"auth": {"identity": identity}})
    assert answer.status_code in (400, 401), answer.content
    assert "X-Subject-Token" not in answer.headers


@pytest.mark.row("S47")
@pytest.mark.parametrize("extra", ["tfa-challenge", "is_admin", "roles", "user_id", "trust", "skip"])
def test_s47_an_unknown_word_is_refused_even_with_the_right_password(db: None, extra: str) -> None:
    world = World()
    good = password_login("admin", scope=project_scope("admin"))
    assert world.anonymous.post(TOKENS, good).status_code == 201
    for place in (good, good["auth"], good["auth"]["identity"], good["auth"]["identity"]["password"]["user"]):
        place[extra] = "x"
        answer = world.anonymous.post(TOKENS, good)
        assert answer.status_code == 400 and "X-Subject-Token" not in answer.headers
        del place[extra]


def test_every_list_is_known() -> None:
    assert len(LISTS) > 60 and all(isinstance(route, Route) for route in LISTS)
