"""POST /os-server-external-events and GET /os-migrations."""

from __future__ import annotations

from typing import Any

import pytest

from instances.models import Instance
from instances.states import VmState
from tests.support.client import Cloud
from tests.support.servers import forget_everything, make_host, make_server, make_server_with_port

PATH = "/compute/v2.1/os-server-external-events"
UNKNOWN = "11111111-2222-3333-4444-555555555555"


@pytest.fixture(autouse=True)
def fresh() -> None:
    forget_everything()


def tell(person: Any, *events: dict[str, Any]) -> Any:
    return person.post(PATH, {"events": list(events)})


def test_an_event_is_judged_by_its_server(cloud: Cloud) -> None:
    here, nowhere = make_server(host=make_host()), make_server(VmState.BUILDING)
    event = {"name": "network-vif-plugged", "status": "completed", "tag": "a port"}

    answer = tell(cloud.as_admin, event | {"server_uuid": here.id})
    assert (answer.status_code, answer.json()) == (
        200, {"events": [event | {"server_uuid": here.id, "code": 200}]},
    )  # fmt: skip
    mixed = tell(cloud.as_admin, *(event | {"server_uuid": name} for name in (here.id, nowhere.id, UNKNOWN)))
    assert mixed.status_code == 207
    assert [(one["code"], one["status"]) for one in mixed.json()["events"]] == [
        (200, "completed"), (422, "failed"), (404, "failed"),
    ]  # fmt: skip


def test_a_changed_network_is_read_anew(cloud: Cloud) -> None:
    server = make_server_with_port()
    Instance.objects.filter(id=server.id).update(network_info=[])

    assert tell(cloud.as_admin, {"name": "network-changed", "server_uuid": server.id}).status_code == 200
    server.refresh_from_db()
    assert len(server.network_info) == 1


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("2.50", "volume-extended"), ("2.75", "power-update"), ("2.81", "accelerator-request-bound"),
        ("2.92", "volume-reimaged"),
    ],
)  # fmt: skip
def test_events_arrive_with_their_version(cloud: Cloud, version: str, name: str) -> None:
    server = make_server(host=make_host())
    event = {"name": name, "server_uuid": server.id, "tag": "x"}
    after = f"2.{int(version[2:]) + 1}"

    assert tell(cloud.as_admin.at(version), event).status_code == 400
    assert tell(cloud.as_admin.at(after), event).status_code == 200


def test_events_are_for_administrators(cloud: Cloud) -> None:
    server = make_server(host=make_host())

    assert tell(cloud.as_member, {"name": "network-changed", "server_uuid": server.id}).status_code == 403


@pytest.mark.parametrize(
    "body", [None, [], {}, {"events": []}, {"events": [{}]}, {"events": [{"name": "x", "server_uuid": "y"}]}]
)
def test_wrong_bodies_are_told(cloud: Cloud, body: Any) -> None:
    assert cloud.as_admin.post(PATH, body).status_code == 400


def test_filters_of_migrations_come_with_versions(cloud: Cloud) -> None:
    place = "/compute/v2.1/os-migrations"

    assert cloud.as_admin.get(f"{place}?colour=blue").json() == {"migrations": []}
    assert cloud.as_admin.at("2.59").get(f"{place}?colour=blue").status_code == 400
    assert cloud.as_admin.at("2.79").get(f"{place}?user_id=x").status_code == 400
    assert cloud.as_admin.at("2.80").get(f"{place}?user_id=x&limit=1").status_code == 200
    assert cloud.as_member.get(place).status_code == 403
