"""Every route at once: what strangers and readers reach, and that no body makes the service fail."""

from __future__ import annotations

import re
from typing import Any

import pytest

from computecloud.http.microversions import Schema
from integrations.networks.api import schemas
from integrations.networks.api.urls import urlpatterns
from tests.api.test_network_networks import V2
from tests.api.test_network_others import everything
from tests.api.test_network_security_groups import make_group, make_rule
from tests.support.client import Cloud

MUTATING = ("POST", "PUT", "DELETE")
ODD: list[Any] = [
    None, True, 0, -1, 1.5, 1e30, 2**63, 2.0**70, 5.0, "", " ", "x" * 300, "\u0001", "é\u202e", [], {}, [None], [[]],
    {"a": 1}, [{}], "10.0.0.0/24", "fe80::1%eth0", "::ffff:1.2.3.4", "0", "-1", "1e3", [{"subnet_id": None}],
    [{"ip_address": 5}], [{"start": "::", "end": "10.0.0.1"}], [{"destination": "::/0", "nexthop": "1.1.1.1"}],
    [{"opt_name": "router"}], "a" * 32, "b" * 32,
]  # fmt: skip


def paths_of(ids: dict[str, str]) -> list[str]:
    """Every path with an id in it, filled in."""
    found = []
    for pattern in urlpatterns:
        route = str(pattern.pattern)
        kind = route.split("/")[1] if "/" in route else ""
        if "<str:pk>" in route and kind in ids:
            found.append("/network/" + re.sub(r"<str:tag>", "red", route.replace("<str:pk>", ids[kind])))
    return found


@pytest.fixture
def ids(cloud: Cloud) -> dict[str, str]:
    found = everything(cloud)
    group = make_group(cloud.as_member)
    rule = make_rule(cloud.as_member, group["id"], protocol="tcp")
    return found | {"security-groups": group["id"], "security-group-rules": rule["id"], "quotas": "a" * 32}


def test_a_stranger_reaches_nothing_by_its_id(cloud: Cloud, ids: dict[str, str]) -> None:
    paths = paths_of(ids)
    assert len(paths) > 20
    for path in paths:
        for method in ("GET", "PUT", "DELETE", "PATCH", "POST"):
            status = cloud.as_other.request(method, path, {}).status_code
            assert status in (400, 403, 404, 405), f"{method} {path}: {status}"
            if method == "GET":
                assert status in (403, 404, 405), f"{method} {path}: {status}"
    for kind in ids:
        assert cloud.as_member.get(f"{V2}/{kind}/{ids[kind]}").status_code == 200


def test_a_reader_changes_nothing(cloud: Cloud, ids: dict[str, str]) -> None:
    paths = [*paths_of(ids), *(f"{V2}/{kind}" for kind in (*ids, "floatingips"))]
    for path in paths:
        for method in MUTATING:
            status = cloud.as_reader.request(method, path, {}).status_code
            assert status in (403, 405), f"{method} {path}: {status}"


def bodies(schema: Schema) -> list[tuple[str, dict[str, Any]]]:
    name, inner = next(iter(schema["properties"].items()))
    return [(name, {field: value}) for field in inner.get("properties", {}) for value in ODD]


KINDS = {
    "networks": (schemas.NETWORK_CREATE, schemas.NETWORK_UPDATE, {}),
    "subnets": (schemas.SUBNET_CREATE, schemas.SUBNET_UPDATE, {"cidr": "10.77.0.0/24", "ip_version": 4}),
    "subnetpools": (schemas.SUBNET_POOL_CREATE, schemas.SUBNET_POOL_UPDATE, {"name": "p", "prefixes": ["10.0.0.0/8"]}),
    "ports": (schemas.PORT_CREATE, schemas.PORT_UPDATE, {}),
    "security-groups": (schemas.GROUP_CREATE, schemas.GROUP_UPDATE, {}),
    "security-group-rules": (schemas.RULE_CREATE, None, {"direction": "ingress"}),
    "routers": (schemas.ROUTER_CREATE, schemas.ROUTER_UPDATE, {}),
}


@pytest.mark.parametrize("kind", list(KINDS))
def test_no_attribute_makes_it_fail(cloud: Cloud, ids: dict[str, str], kind: str) -> None:
    create, update, base = KINDS[kind]
    if kind in ("subnets", "ports"):
        base = base | {"network_id": ids["networks"]}
    if kind == "security-group-rules":
        base = base | {"security_group_id": ids["security-groups"]}
    cloud.as_admin.put(f"{V2}/quotas/{'a' * 32}", {"quota": dict.fromkeys(schemas.QUOTA_NAMES, -1)})
    # neighbours in ODD go to different people: half the requests find what all of them found
    for turn, person in enumerate((cloud.as_member, cloud.as_admin)):
        for name, wanted in bodies(create)[turn::2]:
            answer = person.post(f"{V2}/{kind}", {name: base | wanted})
            assert answer.status_code < 500, f"{wanted}: {answer.content!r}"
        for name, wanted in bodies(update)[1 - turn :: 2] if update else []:
            answer = person.put(f"{V2}/{kind}/{ids[kind]}", {name: wanted})
            assert answer.status_code < 500, f"{wanted}: {answer.content!r}"


@pytest.mark.parametrize("kind", [*KINDS, "quotas"])
def test_no_query_makes_it_fail(cloud: Cloud, ids: dict[str, str], kind: str) -> None:
    names = [
        "id", "name", "tags", "not-tags-any", "fields", "limit", "marker", "sort_key", "sort_dir", "page_reverse",
        "fixed_ips",
        "admin_state_up", "mtu", "revision_number", "port_range_min", "id__in", "project__x",
        "provider:segmentation_id",
        "router:external", "subnets", "security_groups", "mac_address",
        "ip_version",
    ]  # fmt: skip
    for name in names:
        for value in (
            "",
            "x",
            "-1",
            "0",
            "99999999999999999999",
            "%00",
            "%ff",
            "'",
            "x" * 3000,
            "%E2%80%AE",
            "True",
            "a=b,c",
        ):
            answer = cloud.as_admin.get(f"{V2}/{kind}?{name}={value}")
            assert answer.status_code < 500, f"{name}={value[:20]}: {answer.content!r}"


def test_numbers_beyond_all_bounds(cloud: Cloud, ids: dict[str, str]) -> None:
    for number in ("1" * 60, "-" + "9" * 60, "1e999"):
        data = '{"network": {"mtu": NUMBER, "provider:segmentation_id": NUMBER}}'.replace("NUMBER", number)
        answer = cloud.as_admin.post(f"{V2}/networks", data=data, content_type="application/json")
        assert answer.status_code == 400, answer.content
