"""S38 to S40 against a running cloud: the last unit of a quota, a cap for all that can be made, counting once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from computecloud.http.policy import ADMIN, PUBLIC, TABLE
from tests.attack.conftest import tiny_server
from tests.contract.isolation import ROUTES
from tests.support.client import Person
from tests.support.running import RunningCloud, at_once, wait_for
from tests.support.tenant import V2

pytestmark = pytest.mark.faults
COMPUTE, IDENTITY, IMAGES = "/compute/v2.1", "/identity/v3", "/image/v2/images"
SERVERS = f"{COMPUTE}/servers"
REFUSED = (400, 403, 409, 413)
PASSWORD = "a password of somebody with little"
NUMBERS = count(1)


class Newcomer:
    """A project of its own, with a member and the default quotas."""

    def __init__(self, running: RunningCloud) -> None:
        self.admin = running.admin()
        name = f"newcomer-{next(NUMBERS)}"
        self.project = self.made(self.admin, f"{IDENTITY}/projects", {"project": {"name": name}})["id"]
        user = {"name": name, "password": PASSWORD}
        self.user = self.made(self.admin, f"{IDENTITY}/users", {"user": user})["id"]
        roles = self.admin.get(f"{IDENTITY}/roles?name=member").json()["roles"]
        grant = f"{IDENTITY}/projects/{self.project}/users/{self.user}/roles/{roles[0]['id']}"
        assert self.admin.put(grant).status_code == 204
        self.person = running.person(name, PASSWORD, self.project).at("2.90")

    @staticmethod
    def made(person: Person, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = person.post(path, body)
        assert answer.status_code in (200, 201, 202), answer.content
        found = answer.json()
        return dict(next(iter(found.values())) if len(found) == 1 else found)

    def limit(self, **figures: int) -> None:
        """Compute's figures."""
        answer = self.admin.put(f"{COMPUTE}/os-quota-sets/{self.project}", {"quota_set": figures})
        assert answer.status_code == 200, answer.content

    def limit_networks(self, **figures: int) -> None:
        answer = self.admin.put(f"{V2}/quotas/{self.project}", {"quota": figures})
        assert answer.status_code == 200, answer.content


@pytest.fixture
def newcomer(running: RunningCloud) -> Newcomer:
    return Newcomer(running)


# --- S38


@pytest.mark.row("S38")
def test_fifty_at_once_where_ten_may_be(newcomer: Newcomer) -> None:
    person, wish = newcomer.person, tiny_server(newcomer.person)
    answers = at_once(50, lambda n: person.post(SERVERS, {"server": wish | {"name": f"n{n}"}}))
    assert Counter(one.status_code for one in answers) == {202: 10, 403: 40}

    def shown() -> list[dict[str, Any]]:
        return list(person.get(f"{SERVERS}/detail").json()["servers"])

    wait_for("all are built", lambda: {one["status"] for one in shown()} == {"ACTIVE"})
    assert len(shown()) == 10
    used = newcomer.admin.get(f"{COMPUTE}/os-quota-sets/{newcomer.project}/detail").json()["quota_set"]
    assert used["instances"]["in_use"] == 10 and used["cores"]["in_use"] == sum(
        one["flavor"]["vcpus"] for one in shown()
    )
    # and all at once away again, each twice
    ids = [one["id"] for one in shown()] * 2
    gone = at_once(20, lambda n: person.delete(f"{SERVERS}/{ids[n]}"))
    assert {one.status_code for one in gone} <= {204, 404}
    wait_for("all are gone", lambda: not shown())
    used = newcomer.admin.get(f"{COMPUTE}/os-quota-sets/{newcomer.project}/detail").json()["quota_set"]
    assert [used[name]["in_use"] for name in ("instances", "cores", "ram")] == [0, 0, 0]


@pytest.mark.row("S38")
def test_one_request_for_many_is_counted_as_many(newcomer: Newcomer) -> None:
    wish = tiny_server(newcomer.person) | {"min_count": 4, "max_count": 4}
    answers = at_once(10, lambda n: newcomer.person.post(SERVERS, {"server": wish | {"name": f"m{n}"}}))
    assert Counter(one.status_code for one in answers) == {202: 2, 403: 8}


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl x"
Body = Callable[[int], dict[str, Any]]


class Parents:
    """What a new thing lies in."""

    def __init__(self, newcomer: Newcomer) -> None:
        person = newcomer.person
        self.network = newcomer.made(person, f"{V2}/networks", {"network": {"name": "one"}})["id"]
        self.group = newcomer.made(person, f"{V2}/security-groups", {"security_group": {"name": "one"}})["id"]

    def numbered(self) -> dict[str, Body]:
        """Path of each kind with a quota that an administrator sets → body of the nth."""
        rule = {"security_group_id": self.group, "direction": "ingress", "protocol": "tcp"}
        subnet = {"network_id": self.network, "ip_version": 4}
        return {
            f"{COMPUTE}/os-keypairs": lambda n: {"keypair": {"name": f"k{n}", "type": "ssh", "public_key": KEY}},
            f"{COMPUTE}/os-server-groups": lambda n: {"server_group": {"name": f"g{n}", "policy": "affinity"}},
            f"{V2}/networks": lambda n: {"network": {"name": f"n{n}"}},
            f"{V2}/subnets": lambda n: {"subnet": subnet | {"cidr": f"10.{n}.0.0/24"}},
            f"{V2}/subnetpools": lambda n: {"subnetpool": {"name": f"p{n}", "prefixes": ["10.0.0.0/8"]}},
            f"{V2}/ports": lambda _n: {"port": {"network_id": self.network}},
            f"{V2}/routers": lambda n: {"router": {"name": f"r{n}"}},
            f"{V2}/security-groups": lambda n: {"security_group": {"name": f"s{n}"}},
            f"{V2}/security-group-rules": lambda n: {
                "security_group_rule": rule | {"port_range_min": n + 1, "port_range_max": n + 1}
            },
        }


KINDS = {
    "key_pairs": f"{COMPUTE}/os-keypairs", "server_groups": f"{COMPUTE}/os-server-groups", "network": f"{V2}/networks",
    "subnet": f"{V2}/subnets", "subnetpool": f"{V2}/subnetpools", "port": f"{V2}/ports", "router": f"{V2}/routers",
    "security_group": f"{V2}/security-groups", "security_group_rule": f"{V2}/security-group-rules",
}  # fmt: skip
"""Quota → path of what it counts."""


@pytest.mark.row("S38")
@pytest.mark.parametrize("kind", KINDS)
def test_thirty_at_once_where_nine_may_be(newcomer: Newcomer, kind: str) -> None:
    """Of every kind with a quota that can be set; what was there before counts."""
    path = KINDS[kind]
    body = Parents(newcomer).numbered()[path]
    (newcomer.limit if path.startswith(COMPUTE) else newcomer.limit_networks)(**{kind: 9})
    shown = newcomer.person.get(path).json()
    before = len(next(iter(value for value in shown.values() if isinstance(value, list))))
    answers = at_once(30, lambda n: newcomer.person.post(path, body(n)))
    told = Counter(one.status_code for one in answers)
    assert sum(told[status] for status in (200, 201)) == 9 - before, told
    assert set(told) <= {200, 201, 403, 409}


# --- S39


def growing(newcomer: Newcomer) -> dict[tuple[str, str], Iterator[Any]]:
    """(method, route) of all that makes rows for a member → answers, one for each try."""
    person, server = newcomer.person, tiny_server(newcomer.person)
    first = newcomer.made(person, SERVERS, {"server": server | {"name": "first"}})["id"]
    parents = Parents(newcomer)
    image = newcomer.made(person, IMAGES, {"name": "x", "disk_format": "raw", "container_format": "bare"})["id"]

    def posts(path: str, body: Body) -> Iterator[Any]:
        return (person.post(path, body(n)) for n in count())

    def puts(path: str) -> Iterator[Any]:
        return (person.put(f"{path}/t{n}", {}) for n in count())

    credentials = f"{IDENTITY}/users/{newcomer.user}/application_credentials"
    blob = {"type": "cert", "user_id": newcomer.user}
    return {
        **{("post", path): posts(path, body) for path, body in parents.numbered().items()},
        ("post", SERVERS): posts(SERVERS, lambda n: {"server": server | {"name": f"n{n}"}}),
        ("post", f"{SERVERS}/<str:server_id>/metadata"): posts(
            f"{SERVERS}/{first}/metadata", lambda n: {"metadata": {f"k{n}": "v"}}
        ),
        ("post", IMAGES): posts(IMAGES, lambda n: {"name": f"i{n}"}),
        ("post", f"{IMAGES}/<str:image_id>/members"): posts(
            f"{IMAGES}/{image}/members", lambda n: {"member": f"{n:032x}"}
        ),
        ("post", f"{IDENTITY}/credentials"): posts(
            f"{IDENTITY}/credentials", lambda n: {"credential": blob | {"blob": f"b{n}"}}
        ),
        ("post", f"{IDENTITY}/users/<str:user_id>/application_credentials"): posts(
            credentials, lambda n: {"application_credential": {"name": f"a{n}"}}
        ),
        ("put", f"{SERVERS}/<str:server_id>/tags/<str:tag>"): puts(f"{SERVERS}/{first}/tags"),
        ("put", f"{IMAGES}/<str:image_id>/tags/<str:tag>"): puts(f"{IMAGES}/{image}/tags"),
        ("put", f"{V2}/networks/<str:pk>/tags/<str:tag>"): puts(f"{V2}/networks/{parents.network}/tags"),
    }


NO_ROWS: dict[str, str] = {
    "auth/tokens": "the oldest of a user's tokens go: tests/api/test_identity_tokens_end.py",
    "/password": "changes one row",
    "/action": "operations: one at a time for a server, and as many as actions are asked for in a week",
    "/actions/": "changes one row",
    "/file": "bytes have a quota of their own (S11)",
    "/stage": "not offered",
    "/import": "not offered",
    "/os-interface": "a port, by its quota",
    "/os-volumes_boot": "a server, by its quota",
    "/os-security-group": "a security group or a rule, by its quota",
    "_router_interface": "a port, by its quota",
    "/floatingips": "not offered",
    "/os-volume_attachments": "not offered",
    "/shares": "not offered",
    "/placements/what-if": "asks and writes nothing",
    "/remote-consoles": "not offered",
    "/images/<str:image_id>/metadata": "properties of an image: 128, as in its own API",
    "/os-assisted-volume-snapshots": "not offered",
}
"""End or part of a path → why its POST makes nothing that is not counted elsewhere."""
SAME = ("subnets", "subnetpools", "ports", "routers", "security-groups")
"""Tags of these are kept and capped as those of networks, by the same code."""
WORDS = ("quota", "limit", "exceed", "more than", "too many", "at most")
BY_MANAGERS = ("projects", "users", "groups", "roles", "domains", "regions", "services", "endpoints")
"""Made by administrators and domain managers only, though the rule itself asks for any token."""


def makers() -> set[tuple[str, str]]:
    """(method, path) of what may make rows for somebody who is no administrator."""
    found = set()
    for route in ROUTES:
        for verb in ("post", "put"):
            if verb not in route.actions or (verb == "put" and not route.path.endswith("/tags/<str:tag>")):
                continue
            rule = TABLE[route.view.policy[route.actions[verb]]]
            if rule.allow not in (ADMIN, PUBLIC) and rule.name not in ("compute:gone", "compute:unserved"):
                found.add((verb, route.path))
    return found


@pytest.mark.row("S39")
def test_whatever_can_be_made_has_a_last_one(newcomer: Newcomer) -> None:
    newcomer.limit(instances=4, metadata_items=9, server_groups=4)
    newcomer.limit_networks(
        network=6, subnet=6, port=9, router=3, security_group=4, security_group_rule=15, subnetpool=3
    )
    tries, unbounded = growing(newcomer), []
    known = {(verb, path) for verb, path in makers() if not any(part in path for part in NO_ROWS)}
    known = {one for one in known if not one[1].startswith(tuple(f"{V2}/{kind}/<str:pk>/tags" for kind in SAME))}
    known = {one for one in known if not any(f"{IDENTITY}/{kind}" in one[1] for kind in BY_MANAGERS) or one in tries}
    assert known == set(tries), "a route that makes rows and has no cap here, or one that is gone"
    for what, answers in tries.items():
        for number in range(1200):
            answer = next(answers)
            if answer.status_code in REFUSED:
                assert number > 0, (what, answer.content)
                assert any(word in answer.text.lower() for word in WORDS), (what, answer.text)
                break
            assert answer.status_code < 300, (what, answer.content)
        else:
            unbounded.append(what)
    assert unbounded == []


# --- S40


@pytest.mark.row("S40")
def test_whatever_is_done_again_is_counted_once(newcomer: Newcomer) -> None:
    """Stops, starts and reboots: allocations are the flavor's, once. What a build's retry holds: tests/flows."""
    person, admin = newcomer.person, newcomer.admin
    server = newcomer.made(person, SERVERS, {"server": tiny_server(person) | {"name": "again"}})["id"]

    def status(wanted: str) -> bool:
        shown = person.get(f"{SERVERS}/{server}").json()["server"]
        return bool(shown["status"] == wanted and shown["OS-EXT-STS:task_state"] is None)

    def held() -> dict[str, int]:
        found: Counter[str] = Counter()
        for one in admin.get(f"/placement/allocations/{server}").json()["allocations"].values():
            found.update(one["resources"])
        return {name: amount for name, amount in found.items() if amount}

    wait_for("built", lambda: status("ACTIVE"))
    flavor = person.get(f"{SERVERS}/{server}").json()["server"]["flavor"]
    figures = {"VCPU": flavor["vcpus"], "MEMORY_MB": flavor["ram"], "DISK_GB": flavor["disk"]}
    once = {name: amount for name, amount in figures.items() if amount}
    assert held() == once
    for _ in range(5):
        for action, then in (
            ({"reboot": {"type": "HARD"}}, "ACTIVE"), ({"os-stop": None}, "SHUTOFF"), ({"os-start": None}, "ACTIVE"),
        ):  # fmt: skip
            answer = person.post(f"{SERVERS}/{server}/action", action)
            assert answer.status_code == 202, answer.content
            wait_for(f"{action} is done", lambda then=then: status(then))
            assert held() == once
    assert person.delete(f"{SERVERS}/{server}").status_code == 204
    wait_for("gone", lambda: person.get(f"{SERVERS}/{server}").status_code == 404)
    assert held() == {}
