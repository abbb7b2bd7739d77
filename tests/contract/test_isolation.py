"""S33, S34, S36: every route of the URL map, asked by strangers, readers and people without a token.

The routes come from the resolver: a new one is covered the moment it exists. A path parameter that
``tests/support/tenant.py`` does not know fails here, and so does a schema without a body that fits it.
"""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from computecloud.core.errors import Invalid
from computecloud.http.bodies import check
from computecloud.http.policy import ADMIN, PUBLIC, TABLE
from tests.contract.walk import EVERY_METHOD, ask, bodies, is_owned, versions
from tests.support.auth import PROJECT_A, user_id
from tests.support.routes import Route, api_routes
from tests.support.servers import IMAGE, make_flavor, make_image
from tests.support.tenant import MARKER, V2, Tenant

ROUTES = api_routes()
MUTATING = ("put", "patch", "delete", "post")
REFUSED = {400, 403, 404, 405, 409, 410, 413, 415}
SECRETS = (MARKER, PROJECT_A, user_id("member-a"))

# (method, path): why a stranger may be answered 2xx on a path that names something of A's
OPEN_TO_STRANGERS: dict[tuple[str, str], str] = {
    ("post", "/identity/v3/users/<str:user_id>/password"): "asks for the old password instead of a role: 401",
    (
        "get",
        "/compute/v2.1/os-quota-sets/<str:project_id>/defaults",
    ): "the same for all; the id is repeated",
}

MOVING = ("/uptime", "/os-simple-tenant-usage/<str:project_id>", "/os-hypervisors/<str:hypervisor_id>")
"""Paths whose answers change with the clock."""

# (method, path): why a reader may do it
OPEN_TO_READERS: dict[tuple[str, str], str] = {
    ("post", "/identity/v3/auth/tokens"): "logging in needs no role; a wrong password is 401",
    ("post", "/identity/v3/users/<str:user_id>/password"): "asks for the old password instead of a role: 401",
    ("post", "/compute/v2.1/os-keypairs"): "a key pair belongs to a user, whatever the role, as in Nova",
}

# path: why its owner (or an administrator) is not answered 200 there
_SERVER = "/compute/v2.1/servers/<str:server_id>"
_HOST = "/compute/v2.1/os-hosts/<str:name>"
_HYPERVISOR = "/compute/v2.1/os-hypervisors/<str:hypervisor_id>"
NOTHING_TO_SEE: dict[str, str] = {
    f"{_SERVER}/os-volume_attachments/<str:volume_id>": "no block storage yet",
    f"{_SERVER}/diagnostics": "501 until it is built",
    f"{_SERVER}/migrations/<str:migration_id>": "no migrations yet",
    f"{_SERVER}/shares/<str:share_id>": "no shares yet",
    f"{_SERVER}/consoles": "410: removed by Nova",
    f"{_SERVER}/consoles/<str:id>": "410: removed by Nova",
    f"{_SERVER}/os-virtual-interfaces": "410: removed by Nova",
    f"{_HOST}/reboot": "501: hosts are not turned off",
    f"{_HOST}/shutdown": "501: hosts are not turned off",
    f"{_HOST}/startup": "501: hosts are not turned off",
    f"{_HYPERVISOR}/search": "takes a part of a name",
    f"{_HYPERVISOR}/servers": "takes a part of a name",
    "/compute/v2.1/os-networks/<str:id>/action": "410: removed by Nova",
}


def assert_hides(answer: Any, what: str, repeats: bool = False) -> None:
    """Not one word of A's. An error may repeat the id that the caller sent, not A's names."""
    text = answer.told
    for secret in SECRETS if answer.status_code < 300 and not repeats else (MARKER,):
        assert secret not in text, f"{what}: {answer.status_code} {text[:400]}"


def everything_of(tenant: Tenant) -> dict[tuple[str, str], Any]:
    """What A and the administrator read on every path, to compare before and after."""
    found = {}
    for route in ROUTES:
        if "get" in route.actions and is_owned(route, tenant) and not route.path.endswith(MOVING):
            for version in versions(route, "get")[-1:]:
                for name, person in (("a", tenant.cloud.as_member), ("admin", tenant.cloud.as_admin)):
                    answer = ask(person, route, "get", tenant, version)
                    found[name, route.path] = (answer.status_code, answer.told if answer.status_code == 200 else "")
    return found


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_the_walk_knows_what_to_send(route: Route) -> None:
    for verb in route.actions:
        for version in versions(route, verb):
            schema = getattr(route.method(verb), "accepts", None)
            for body in bodies(route, verb, version) if schema else []:
                try:
                    check(schema.at(version or (0, 0)), body)
                except Invalid as problem:
                    pytest.fail(f"{verb.upper()} {route.path} at {version}: {body} does not fit: {problem}")


def test_the_owner_reaches_everything(tenant: Tenant) -> None:
    """Else a 404 for a stranger would prove nothing."""
    missed = []
    for route in ROUTES:
        if "get" not in route.actions or not is_owned(route, tenant) or route.path in NOTHING_TO_SEE:
            continue
        rule = TABLE[route.view.policy[route.actions["get"]]]
        admin = rule.allow is ADMIN or route.service == "identity"
        for version in versions(route, "get"):
            answer = ask(tenant.cloud.as_admin if admin else tenant.cloud.as_member, route, "get", tenant, version)
            if version == (2, 104) and "os-volumes_boot" in route.path:
                continue  # this path ends with 2.102
            if answer.status_code not in (200, 204):
                missed.append(f"{route.path} at {version}: {answer.status_code} {answer.told[:200]}")
    assert not missed, "\n".join(missed)


@pytest.mark.parametrize("stranger", ["as_other", "as_other_reader"])
def test_s33_a_stranger_reaches_nothing_of_a_project(tenant: Tenant, stranger: str) -> None:
    person = getattr(tenant.cloud, stranger)
    before = everything_of(tenant)
    wrong = []
    for route in ROUTES:
        for verb in EVERY_METHOD:
            for version in versions(route, verb):
                for body in bodies(route, verb, version):
                    answer = ask(person, route, verb, tenant, version, body)
                    what = f"{verb.upper()} {route.path} at {version} {str(body)[:80]}"
                    assert_hides(answer, what, (verb, route.path) in OPEN_TO_STRANGERS)
                    status = answer.status_code
                    allowed = {400, 403, 404, 405, 410} if verb in route.actions else {403, 404, 405}
                    if (
                        is_owned(route, tenant)
                        and (verb, route.path) not in OPEN_TO_STRANGERS
                        and status not in allowed
                    ):
                        wrong.append(f"{what}: {status} {answer.told[:150]}")
                    if status >= 500 and status != 501:
                        wrong.append(f"{what}: {status}")
    assert not wrong, "\n".join(wrong)
    after = everything_of(tenant)
    assert {path for path in before if before[path] != after[path]} == set()


def test_s36_a_reader_changes_nothing(tenant: Tenant) -> None:
    before = everything_of(tenant)
    wrong = []
    for route in ROUTES:
        for verb in MUTATING:
            if (verb, route.path) in OPEN_TO_READERS:
                continue
            for version in versions(route, verb):
                for body in bodies(route, verb, version):
                    answer = ask(tenant.cloud.as_reader, route, verb, tenant, version, body)
                    if answer.status_code not in {400, 403, 404, 405, 410}:
                        what = f"{verb.upper()} {route.path} at {version} {str(body)[:80]}"
                        wrong.append(f"{what}: {answer.status_code} {answer.told[:150]}")
    assert not wrong, "\n".join(wrong)
    after = everything_of(tenant)
    assert {path for path in before if before[path] != after[path]} == set()


@pytest.mark.parametrize("nobody", ["anonymous", "with_bad_token"])
def test_without_a_token_there_is_nothing_but_public_documents(tenant: Tenant, nobody: str) -> None:
    person = getattr(tenant.cloud, nobody)
    wrong = []
    for route in ROUTES:
        for verb, name in route.actions.items():
            is_public = TABLE[route.view.policy[name]].allow is PUBLIC
            for version in versions(route, verb):
                answer = ask(person, route, verb, tenant, version, bodies(route, verb, version)[0])
                assert_hides(answer, f"{verb.upper()} {route.path}")
                if (answer.status_code == 401) is is_public and not (is_public and verb == "post"):
                    wrong.append(f"{verb.upper()} {route.path}: {answer.status_code}")
    assert not wrong, "\n".join(wrong)


def test_public_documents_are_few() -> None:
    """Each one more is a decision."""
    public = {
        (verb, route.path)
        for route in ROUTES
        for verb, name in route.actions.items()
        if TABLE[route.view.policy[name]].allow is PUBLIC
    }
    assert public == {
        ("get", "/identity/"), ("get", "/identity/v3"), ("post", "/identity/v3/auth/tokens"),
        ("get", "/image/"), ("get", "/image/versions"), ("get", "/image/v2"),
        ("get", "/image/v2/upload-check"),  # asked by the front with a client's headers: 204, or why not
        ("get", "/network/"), ("get", "/network/v2.0"),
        ("get", "/compute/"), ("get", "/compute/v2"), ("get", "/compute/v2.1"),
        ("get", "/compute/v2.1/versions/<str:version_id>"),
        ("get", "/placement/"), ("get", "/api/v1/schema"),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["project_id", "tenant_id", "owner", "all_tenants", "user_id", "all_projects"])
def test_s34_a_stranger_cannot_ask_for_a_project(tenant: Tenant, name: str) -> None:
    """Scope parameters of non-admins are overwritten or refused, never obeyed."""
    value = user_id("member-a") if name == "user_id" else "1" if name.startswith("all_") else PROJECT_A
    wrong = []
    for route in ROUTES:
        if route.parameters or "get" not in route.actions:
            continue
        for version in versions(route, "get"):
            headers = {"OpenStack-API-Version": f"{route.service} {version[0]}.{version[1]}"} if version else {}
            answer = tenant.cloud.as_other.get(f"{route.path}?{name}={value}", headers=headers)
            if answer.status_code not in {200, 204, 300, *REFUSED} or MARKER in answer.content.decode():
                wrong.append(f"{route.path}: {answer.status_code} {answer.content[:200]}")
    assert not wrong, "\n".join(wrong)


def test_nothing_is_excused_that_does_not_exist() -> None:
    known = {(verb, route.path) for route in ROUTES for verb in route.actions}
    assert set(OPEN_TO_STRANGERS) | set(OPEN_TO_READERS) <= known
    assert set(NOTHING_TO_SEE) <= {route.path for route in ROUTES}


def bodies_that_name_things_of_a(values: dict[tuple[str, str], str]) -> list[tuple[str, dict[str, Any]]]:
    """(path, body) of a stranger who knows A's ids."""
    network, port = values["networks", "pk"], values["ports", "pk"]
    subnet, group = values["subnets", "pk"], values["security-groups", "pk"]
    server = {"name": "x", "flavorRef": "public", "imageRef": "", "networks": "none"}
    cidr = {"cidr": "10.9.0.0/24", "ip_version": 4}
    return [
        ("/compute/v2.1/servers", {"server": server | {"imageRef": values["images", "image_id"]}}),
        ("/compute/v2.1/servers", {"server": server | {"imageRef": IMAGE, "flavorRef": "private"}}),
        ("/compute/v2.1/servers", {"server": server | {"imageRef": IMAGE, "key_name": "the-key"}}),
        ("/compute/v2.1/servers", {"server": server | {"imageRef": IMAGE, "networks": [{"uuid": network}]}}),
        ("/compute/v2.1/servers", {"server": server | {"imageRef": IMAGE, "networks": [{"port": port}]}}),
        ("/compute/v2.1/servers", {"server": server | {"imageRef": IMAGE, "security_groups": [{"name": group}]}}),
        (
            "/compute/v2.1/servers",
            {
                "server": server | {"imageRef": IMAGE},
                "os:scheduler_hints": {"group": values["os-server-groups", "group_id"]},
            },
        ),
        (f"{V2}/ports", {"port": {"network_id": network}}),
        (f"{V2}/ports", {"port": {"network_id": "OWN", "fixed_ips": [{"subnet_id": subnet}]}}),
        (f"{V2}/ports", {"port": {"network_id": "OWN", "security_groups": [group]}}),
        (f"{V2}/subnets", {"subnet": {"network_id": network, **cidr}}),
        (f"{V2}/subnets", {"subnet": {"network_id": "OWN", "subnetpool_id": values["subnetpools", "pk"], **cidr}}),
        (f"{V2}/security-group-rules", {"security_group_rule": {"security_group_id": group, "direction": "ingress"}}),
        (
            f"{V2}/security-group-rules",
            {"security_group_rule": {"security_group_id": "GROUP", "direction": "ingress", "remote_group_id": group}},
        ),
        (f"{V2}/networks", {"network": {"name": "x", "project_id": PROJECT_A}}),
        (f"{V2}/ports", {"port": {"network_id": "OWN", "project_id": PROJECT_A}}),
        (f"{V2}/routers", {"router": {"external_gateway_info": {"network_id": network}}}),
        ("/image/v2/images", {"name": "x", "owner": PROJECT_A}),
        ("/compute/v2.1/os-keypairs", {"keypair": {"name": "x", "user_id": user_id("member-a")}}),
        (
            "/identity/v3/credentials",
            {"credential": {"type": "cert", "blob": "x", "user_id": user_id("member-a"), "project_id": PROJECT_A}},
        ),
    ]


def test_s33_references_in_bodies_are_looked_up_in_the_callers_project(tenant: Tenant) -> None:
    stranger = tenant.cloud.as_other
    make_image(name="public")
    make_flavor("public", id="public")
    own = stranger.post(f"{V2}/networks", {"network": {"name": "mine"}}).json()["network"]["id"]
    assert stranger.post(f"{V2}/ports", {"port": {"network_id": own}}).status_code == 201
    own_group = stranger.get(f"{V2}/security-groups").json()["security_groups"][0]["id"]
    plain = {"server": {"name": "x", "flavorRef": "public", "imageRef": IMAGE, "networks": "none"}}
    assert stranger.at("2.93").post("/compute/v2.1/servers", plain).status_code == 202
    before = everything_of(tenant)
    obeyed = []
    for path, body in bodies_that_name_things_of_a(tenant.values):
        text = orjson.dumps(body).decode().replace("OWN", own).replace("GROUP", own_group)
        answer = stranger.at("2.93").post(path, orjson.loads(text))
        if answer.status_code not in (400, 403, 404):
            obeyed.append(f"{path} {body}: {answer.status_code} {answer.content[:200]!r}")
    assert not obeyed, "\n".join(obeyed)
    assert everything_of(tenant).items() >= {k: v for k, v in before.items() if "limits" not in k[1]}.items()
