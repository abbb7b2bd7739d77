"""A walk over every path beside servers: nothing that is sent gives a 500, and nobody unknown gets in."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.urls import URLPattern

from instances.api.urls_side import urlpatterns
from instances.policies_side import RULES
from tests.support.client import Cloud
from tests.support.machines import make_host

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH")
PIECES = ("x", "1", "-1", "99999999999999999999", "0" * 32, "é", "a b", "%2e%2e", "'", "x" * 300)
BODIES: tuple[Any, ...] = (
    None,
    [],
    "x",
    5,
    {},
    {"x": None},
    {"flavor": {"name": "a", "ram": 1e308, "vcpus": 1, "disk": 1}},
    {"flavor": {"name": "a", "ram": 1, "vcpus": 1, "disk": 1, "id": 1e308, "rxtx_factor": "9" * 59}},
    {"flavor": {"name": "\ud7ff", "ram": "1" * 10, "vcpus": "00000000001", "disk": 0}},
    {"extra_specs": {"a": 1e308}},
    {"a": -0.0},
    {"addTenantAccess": {"tenant": "é"}},
    {"removeTenantAccess": {"tenant": "x"}},
    {"keypair": {"name": "a", "public_key": "ssh-rsa é"}},
    {"keypair": {"name": "a", "type": "x509", "public_key": "é"}},
    {"quota_set": {"cores": "-1", "force": "yes"}},
    {"quota_class_set": {"ram": "0000000001"}},
    {"server_group": {"name": "é", "policies": ["affinity"]}},
    {"server_group": {"name": "a", "policy": "anti-affinity", "rules": {}}},
    {"aggregate": {"name": "é", "availability_zone": None}},
    {"add_host": {"host": "x"}},
    {"set_metadata": {"metadata": {}}},
    {"host": "x", "binary": "nova-compute", "forced_down": "no"},
    {"status": "disabled"},
    {"maintenance_mode": "enable"},
    {"security_group": {"name": "", "description": ""}},
    {"cache": [{"id": "0" * 32}]},
    {"security_group_rule": {"parent_group_id": "0" * 32, "ip_protocol": 6, "from_port": "99999999999", "to_port": 1}},
    {"metadata": {}},
    {"meta": {"x": ""}},
)
QUERIES = (
    "",
    "?limit=1&marker=x",
    "?start=x&end=y",
    "?user_id=%00",
    "?limit=99999999999999999",
    "?name=(&sort_key=x",
    "?x=%ff",
)


def routes() -> list[tuple[str, Any]]:
    return [(str(route.pattern), route.callback) for route in urlpatterns if isinstance(route, URLPattern)]


def fill(route: str, piece: str) -> str:
    return "/compute/" + re.sub(r"<str:\w+>", piece, route)


@pytest.mark.parametrize("version", ["2.1", "2.52", "2.104"])
def test_nothing_gives_a_500(cloud: Cloud, version: str) -> None:
    make_host("x")
    admin = cloud.as_admin.at(version)
    for number, (route, _) in enumerate(routes()):
        for turn, method in enumerate(METHODS):
            for step in range(6):
                piece = PIECES[(number + turn + step) % len(PIECES)]
                query = QUERIES[(number + step) % len(QUERIES)]
                for body in BODIES[step::6] if method in ("POST", "PUT") else (None,):
                    answered = admin.request(method, fill(route, piece) + query, body)
                    assert answered.status_code != 500, (method, route, piece, query, body)


def test_nobody_unknown_gets_in(cloud: Cloud) -> None:
    public = {"", "v2", "v2.1", "v2.1/versions/<str:version_id>"}
    for route, view in routes():
        for method in list(view.actions):
            answered = cloud.with_bad_token.request(method.upper(), fill(route, "x"), {})
            assert answered.status_code == (401 if route not in public else answered.status_code), (method, route)
            assert answered.status_code in (200, 401, 404), (method, route)


def test_every_method_has_a_rule_that_is_registered() -> None:
    known = {rule.name for rule in RULES}
    for route, view in routes():
        for action in view.actions.values():
            assert view.cls.policy[action] in known, (route, action)


def test_readers_change_nothing(cloud: Cloud) -> None:
    """Only one's own key pairs are a reader's to make."""
    for route, view in routes():
        for method in set(view.actions) & {"post", "put", "delete", "patch"}:
            if (
                "os-keypairs" in route
                or "compute:gone" in view.cls.policy.values()
                or "compute:unserved" in view.cls.policy.values()
            ):
                continue
            answered = cloud.as_reader.request(method.upper(), fill(route, "x"), {})
            assert answered.status_code == 403, (method, route, answered.content)
