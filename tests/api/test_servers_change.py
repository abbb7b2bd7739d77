"""PUT and DELETE /servers/{id}."""

from __future__ import annotations

from typing import Any

import pytest

from instances.models import Instance, ServerGroup
from instances.states import VmState
from operations.models import Operation, QuotaGate
from tests.support.auth import PROJECT_A
from tests.support.client import Cloud
from tests.support.servers import forget_everything, make_host, make_server

PATH = "/compute/v2.1/servers"


@pytest.fixture(autouse=True)
def fresh() -> None:
    forget_everything()


def put(person: Any, server: Instance, version: str, **fields: Any) -> Any:
    return person.at(version).put(f"{PATH}/{server.id}", {"server": fields})


def test_a_member_renames_and_describes(cloud: Cloud) -> None:
    server = make_server()

    answer = put(cloud.as_member, server, "2.90", name="db", description=None, hostname="db-1", accessIPv4="192.0.2.9")

    assert answer.status_code == 200, answer.content
    shown = answer.json()["server"]
    assert (shown["name"], shown["description"], shown["accessIPv4"]) == ("db", None, "192.0.2.9")
    assert shown["OS-EXT-SRV-ATTR:hostname"] == "db-1"
    assert cloud.as_member.get(f"{PATH}/{server.id}").json()["server"]["name"] == "db"


def test_the_answer_was_short_until_2_74(cloud: Cloud) -> None:
    server = make_server(host=make_host())

    short = put(cloud.as_member, server, "2.1", name="db").json()["server"]
    long = put(cloud.as_member, server, "2.75", name="db").json()["server"]

    assert set(short) == {
        "id", "name", "status", "tenant_id", "user_id", "metadata", "hostId", "image", "flavor", "created", "updated",
        "addresses", "accessIPv4", "accessIPv6", "links", "OS-DCF:diskConfig", "progress",
    }  # fmt: skip
    assert set(short["addresses"]["private-net"][0]) == {"version", "addr"}
    assert set(long) == set(cloud.as_member.at("2.75").get(f"{PATH}/{server.id}").json()["server"])
    assert "OS-EXT-SRV-ATTR:host" in put(cloud.as_admin, server, "2.75").json()["server"]


def test_groups_are_in_the_answer_from_2_71(cloud: Cloud) -> None:
    group = ServerGroup.objects.create(project_id=PROJECT_A, user_id="u", name="g", policy="affinity")
    server = make_server(server_group_id=group.id)

    assert put(cloud.as_member, server, "2.71").json()["server"]["server_groups"] == [group.id]
    assert "server_groups" not in put(cloud.as_member, server, "2.70").json()["server"]


@pytest.mark.parametrize(
    ("version", "fields"),
    [
        ("2.1", {"name": ""}), ("2.1", {"name": " x"}), ("2.1", {"name": "x" * 256}), ("2.1", {"name": None}),
        ("2.18", {"description": "x"}), ("2.89", {"hostname": "web"}), ("2.93", {"hostname": "web.example"}),
        ("2.103", {"pinned_availability_zone": None}), ("2.1", {"accessIPv4": "x"}), ("2.104", {"metadata": {}}),
        ("2.104", {"pinned_availability_zone": ""}), ("2.104", {"status": "ACTIVE"}),
        ("2.1", {"OS-DCF:diskConfig": "X"}),
    ],
)  # fmt: skip
def test_what_cannot_be_changed_is_told(cloud: Cloud, version: str, fields: dict[str, Any]) -> None:
    answer = put(cloud.as_member, make_server(), version, **fields)

    assert answer.status_code == 400, answer.content


@pytest.mark.parametrize("body", [None, [], {}, {"server": None}, {"server": 5}, {"servers": {}}])
def test_wrong_bodies_are_told(cloud: Cloud, body: Any) -> None:
    server = make_server()

    assert cloud.as_member.put(f"{PATH}/{server.id}", body).status_code == 400


def test_readers_and_strangers_change_nothing(cloud: Cloud) -> None:
    server = make_server()

    assert put(cloud.as_reader, server, "2.1", name="x").status_code == 403
    assert put(cloud.as_other, server, "2.1", name="x").status_code == 404
    assert cloud.as_reader.delete(f"{PATH}/{server.id}").status_code == 403
    assert cloud.as_other.delete(f"{PATH}/{server.id}").status_code == 404
    server.refresh_from_db()
    assert (server.name, server.status) == ("web", "ACTIVE")


def test_a_zone_is_pinned_and_let_go_from_2_104(cloud: Cloud) -> None:
    server = make_server(pinned_zone="nova")

    assert put(cloud.as_member, server, "2.104", pinned_availability_zone="west").status_code == 409
    loose = put(cloud.as_member, server, "2.104", pinned_availability_zone=None)
    assert loose.json()["server"]["pinned_availability_zone"] is None
    assert put(cloud.as_member, server, "2.104", pinned_availability_zone="west").status_code == 409
    pinned = put(cloud.as_member, server, "2.104", pinned_availability_zone="nova")
    assert pinned.json()["server"]["pinned_availability_zone"] == "nova"


def test_deleting_a_server_without_a_host_is_done_at_once(cloud: Cloud) -> None:
    QuotaGate.objects.create(project_id=PROJECT_A, resource="instances", used=1)
    server = make_server(VmState.ERROR, network_info=[])

    answer = cloud.as_member.delete(f"{PATH}/{server.id}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert cloud.as_member.get(f"{PATH}/{server.id}").status_code == 404
    assert cloud.as_member.delete(f"{PATH}/{server.id}").status_code == 404
    assert QuotaGate.objects.get(resource="instances").used == 0


def test_a_locked_server_is_deleted_by_administrators_only(cloud: Cloud) -> None:
    server = make_server(locked_by="owner", network_info=[])

    answer = cloud.as_member.delete(f"{PATH}/{server.id}")
    assert answer.json() == {"conflictingRequest": {"code": 409, "message": f"Instance {server.id} is locked"}}
    assert cloud.as_admin.delete(f"{PATH}/{server.id}").status_code == 204
    assert Operation.objects.get().verb == "delete"
