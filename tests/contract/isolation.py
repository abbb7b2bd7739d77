"""What a stranger, a reader and nobody may be answered, and the walks over every route that find out what they are.

The routes come from the resolver: a new one is walked the moment it exists, in one process and in a running cloud.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from computecloud.http.policy import ADMIN, PUBLIC, TABLE
from tests.contract.walk import EVERY_METHOD, ask, bodies, is_owned, versions
from tests.support.auth import PROJECT_A, user_id
from tests.support.client import Person
from tests.support.routes import api_routes
from tests.support.tenant import MARKER, V2, Things

ROUTES = api_routes()
MUTATING = ("put", "patch", "delete", "post")
SCOPES = ("project_id", "tenant_id", "owner", "all_tenants", "user_id", "all_projects")
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
    "/api/v1/decisions/<str:id>/why-not": "asks for a host, which everybody calls otherwise",
    f"{_SERVER}/diagnostics": "asks a host, and none answers in these tests",
    f"{_SERVER}/migrations/<str:migration_id>": "live migrations alone, of which there are none",
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


def is_told(answer: Any, repeats: bool = False) -> bool:
    """Whether a word of A's is in the answer. An error may repeat the id that the caller sent, not A's names."""
    return any(one in answer.told for one in (SECRETS if answer.status_code < 300 and not repeats else (MARKER,)))


def everything_of(tenant: Things) -> dict[tuple[str, str], Any]:
    """What A and the administrator read on every path, to compare before and after."""
    found = {}
    for route in ROUTES:
        if "get" in route.actions and is_owned(route, tenant) and not route.path.endswith(MOVING):
            for version in versions(route, "get")[-1:]:
                for name, person in (("a", tenant.cloud.as_member), ("admin", tenant.cloud.as_admin)):
                    answer = ask(person, route, "get", tenant, version)
                    found[name, route.path] = (answer.status_code, answer.told if answer.status_code == 200 else "")
    return found


def owner_misses(tenant: Things) -> Iterator[str]:
    """What its owner (or an administrator) is not shown of A's things, at any version."""
    for route in ROUTES:
        if "get" not in route.actions or not is_owned(route, tenant) or route.path in NOTHING_TO_SEE:
            continue
        rule = TABLE[route.view.policy[route.actions["get"]]]
        is_for_admins = rule.allow is ADMIN or route.service == "identity"
        person = tenant.cloud.as_admin if is_for_admins else tenant.cloud.as_member
        for version in versions(route, "get"):
            answer = ask(person, route, "get", tenant, version)
            if version == (2, 104) and "os-volumes_boot" in route.path:
                continue  # this path ends with 2.102
            if answer.status_code not in (200, 204):
                yield f"{route.path} at {version}: {answer.status_code} {answer.told[:200]}"


def stranger_reaches(tenant: Things, person: Person) -> Iterator[str]:
    """Every method of every route with A's ids, asked by somebody of another project: what he was given (S33)."""
    for route in ROUTES:
        for verb in EVERY_METHOD:
            is_open = (verb, route.path) in OPEN_TO_STRANGERS
            allowed = {400, 403, 404, 405, 410} if verb in route.actions else {403, 404, 405}
            for version in versions(route, verb):
                for body in bodies(route, verb, version):
                    answer = ask(person, route, verb, tenant, version, body)
                    status = answer.status_code
                    is_refused = status in allowed or is_open or not is_owned(route, tenant)
                    if is_told(answer, is_open) or not is_refused or (status >= 500 and status != 501):
                        told = f"{status} {answer.told[:150]}"
                        yield f"{verb.upper()} {route.path} at {version} {str(body)[:80]}: {told}"


def reader_does(tenant: Things, person: Person) -> Iterator[str]:
    """Every changing method of every route, asked by a reader of the project: what was not refused (S36)."""
    for route in ROUTES:
        for verb in MUTATING:
            if (verb, route.path) in OPEN_TO_READERS:
                continue
            for version in versions(route, verb):
                for body in bodies(route, verb, version):
                    answer = ask(person, route, verb, tenant, version, body)
                    if answer.status_code not in {400, 403, 404, 405, 410}:
                        what = f"{verb.upper()} {route.path} at {version} {str(body)[:80]}"
                        yield f"{what}: {answer.status_code} {answer.told[:150]}"


def nobody_is_given(tenant: Things, person: Person) -> Iterator[str]:
    """Every method of every route without a (good) token: what was answered as if there were one."""
    for route in ROUTES:
        for verb, name in route.actions.items():
            is_public = TABLE[route.view.policy[name]].allow is PUBLIC
            for version in versions(route, verb):
                answer = ask(person, route, verb, tenant, version, bodies(route, verb, version)[0])
                is_wrong = (answer.status_code == 401) is is_public and not (is_public and verb == "post")
                if is_told(answer) or is_wrong:
                    yield f"{verb.upper()} {route.path}: {answer.status_code} {answer.told[:150]}"


def asked_for_a_project(person: Person, name: str) -> Iterator[str]:
    """Every list with a scope parameter that names A: what of A's was told (S34)."""
    value = user_id("member-a") if name == "user_id" else "1" if name.startswith("all_") else PROJECT_A
    for route in ROUTES:
        if route.parameters or "get" not in route.actions:
            continue
        for version in versions(route, "get"):
            headers = {"OpenStack-API-Version": f"{route.service} {version[0]}.{version[1]}"} if version else {}
            answer = person.get(f"{route.path}?{name}={value}", headers=headers)
            if answer.status_code not in {200, 204, 300, *REFUSED} or MARKER in answer.content.decode():
                yield f"{route.path}: {answer.status_code} {answer.content[:200]!r}"


def bodies_that_name_things_of_a(
    values: dict[tuple[str, str], str], server: dict[str, Any]
) -> list[tuple[str, dict[str, Any]]]:
    """(path, body) of a stranger who knows A's ids; ``server``: one that he may have."""
    network, port = values["networks", "pk"], values["ports", "pk"]
    subnet, group = values["subnets", "pk"], values["security-groups", "pk"]
    cidr = {"cidr": "10.9.0.0/24", "ip_version": 4}
    return [
        ("/compute/v2.1/servers", {"server": server | {"imageRef": values["images", "image_id"]}}),
        ("/compute/v2.1/servers", {"server": server | {"flavorRef": "private"}}),
        ("/compute/v2.1/servers", {"server": server | {"key_name": "the-key"}}),
        ("/compute/v2.1/servers", {"server": server | {"networks": [{"uuid": network}]}}),
        ("/compute/v2.1/servers", {"server": server | {"networks": [{"port": port}]}}),
        ("/compute/v2.1/servers", {"server": server | {"security_groups": [{"name": group}]}}),
        (
            "/compute/v2.1/servers",
            {
                "server": server,
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


def obeyed_references(tenant: Things, person: Person, public: dict[str, Any]) -> Iterator[str]:
    """A stranger's good bodies with one of A's ids in them: those that were done (S33, S35).

    ``public``: a server that he may have, as the body of its request.
    """
    own = person.post(f"{V2}/networks", {"network": {"name": "mine"}}).json()["network"]["id"]
    assert person.post(f"{V2}/ports", {"port": {"network_id": own}}).status_code == 201
    own_group = person.get(f"{V2}/security-groups").json()["security_groups"][0]["id"]
    made = person.at("2.93").post("/compute/v2.1/servers", {"server": public})
    assert made.status_code == 202, made.content
    for path, body in bodies_that_name_things_of_a(tenant.values, public):
        text = orjson.dumps(body).decode().replace("OWN", own).replace("GROUP", own_group)
        answer = person.at("2.93").post(path, orjson.loads(text))
        if answer.status_code not in (400, 403, 404):
            yield f"{path} {body}: {answer.status_code} {answer.content[:200]!r}"
