"""GET /servers/{id}/os-instance-actions: what was done, by whom, how it went."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from computecloud.core.clock import utcnow
from instances.models import Instance
from instances.states import VmState
from operations.models import Operation, Step
from operations.models.operation import State
from tests.support.auth import user_id
from tests.support.client import Cloud
from tests.support.servers import forget_everything, make_server

PATH = "/compute/v2.1/servers"


@pytest.fixture(autouse=True)
def fresh() -> None:
    forget_everything()


def done(server: Instance, verb: str, number: int = 0, **columns: Any) -> Operation:
    moment = utcnow() + timedelta(seconds=number)
    values: dict[str, Any] = {
        "subject_kind": "server", "subject_id": server.id, "project_id": server.project_id, "verb": verb,
        "user_id": user_id("member-a"), "request_id": f"req-{verb}-{number}", "state": State.SUCCEEDED,
        "deadline_at": moment, "created_at": moment, "updated_at": moment, "started_at": moment, "finished_at": moment,
        "host_name": "compute-1",
    }  # fmt: skip
    return Operation.objects.create(**(values | columns))


def test_actions_are_listed_newest_first(cloud: Cloud) -> None:
    server = make_server()
    done(server, "create", 0)
    done(server, "stop", 1, state=State.FAILED)
    done(server, "console-output", 2, listed=False)

    actions = cloud.as_reader.get(f"{PATH}/{server.id}/os-instance-actions").json()["instanceActions"]

    assert [(action["action"], action["message"]) for action in actions] == [("stop", "Error"), ("create", None)]
    assert set(actions[0]) == {
        "action", "instance_uuid", "request_id", "user_id", "project_id", "start_time", "message",
    }  # fmt: skip
    assert "updated_at" in cloud.as_reader.at("2.58").get(f"{PATH}/{server.id}/os-instance-actions").json()[
        "instanceActions"
    ][0]
    assert cloud.as_other.get(f"{PATH}/{server.id}/os-instance-actions").status_code == 404


def test_locks_are_history_too(cloud: Cloud) -> None:
    server = make_server()
    cloud.as_member.post(f"{PATH}/{server.id}/action", {"lock": None})
    cloud.as_member.post(f"{PATH}/{server.id}/action", {"unlock": None})
    cloud.as_admin.post(f"{PATH}/{server.id}/action", {"os-resetState": {"state": "active"}})

    actions = cloud.as_member.get(f"{PATH}/{server.id}/os-instance-actions").json()["instanceActions"]

    assert {action["action"] for action in actions} == {"lock", "unlock", "resetState"}


def test_pages_and_times_from_2_58(cloud: Cloud) -> None:
    server = make_server()
    for number in range(3):
        done(server, "reboot", number)
    place, member = f"{PATH}/{server.id}/os-instance-actions", cloud.as_member.at("2.66")

    first = member.get(f"{place}?limit=2").json()
    assert [action["request_id"] for action in first["instanceActions"]] == ["req-reboot-2", "req-reboot-1"]
    assert "marker=req-reboot-1" in first["links"][0]["href"]
    second = member.get(f"{place}?limit=2&marker=req-reboot-1").json()
    assert [action["request_id"] for action in second["instanceActions"]] == ["req-reboot-0"]
    later = (utcnow() + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    earlier = (utcnow() - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert member.get(f"{place}?changes-since={later}").json()["instanceActions"] == []
    assert len(member.get(f"{place}?changes-since={earlier}&changes-before={later}").json()["instanceActions"]) == 3
    crossed = f"changes-since={later}&changes-before={earlier}"
    for wrong in ("marker=x", "limit=-1", "changes-since=x", "colour=blue", crossed):
        assert member.get(f"{place}?{wrong}").status_code == 400, wrong
    assert cloud.as_member.at("2.65").get(f"{place}?changes-before={later}").status_code == 400
    assert len(cloud.as_member.get(f"{place}?limit=1&colour=blue").json()["instanceActions"]) == 3


def test_events_say_more_to_later_versions_and_to_administrators(cloud: Cloud) -> None:
    server = make_server()
    operation = done(server, "create", state=State.FAILED, fault="boom", details="trace")
    Step.objects.create(operation=operation, attempt=1, seq=0, name="root_disk", state="done", took_ms=5)
    Step.objects.create(operation=operation, attempt=1, seq=1, name="domain", state="failed", message="no memory")
    place = f"{PATH}/{server.id}/os-instance-actions/req-create-0"

    def show(person: Any, version: str) -> dict[str, Any]:
        shown: dict[str, Any] = person.at(version).get(place).json()["instanceAction"]
        return shown

    assert "events" not in show(cloud.as_member, "2.50")
    events = show(cloud.as_member, "2.51")["events"]
    assert [(event["event"], event["result"]) for event in events] == [
        ("domain", "Error"), ("root_disk", "Success"), ("server_create", "Error"),
    ]  # fmt: skip
    assert set(events[0]) == {"event", "start_time", "finish_time", "result"}
    assert set(show(cloud.as_member, "2.62")["events"][0]) == set(events[0]) | {"hostId"}
    told = show(cloud.as_admin, "2.84")["events"][0]
    assert (told["traceback"], told["host"], told["details"]) == ("no memory", "compute-1", "no memory")
    assert "details" not in show(cloud.as_member, "2.84")["events"][0]
    assert "traceback" in show(cloud.as_admin, "2.1")["events"][0]


def test_an_unknown_action_is_not_found(cloud: Cloud) -> None:
    server, other = make_server(), make_server()
    done(other, "create")

    assert cloud.as_member.get(f"{PATH}/{server.id}/os-instance-actions/req-create-0").status_code == 404


def test_the_history_outlives_the_server_from_2_21(cloud: Cloud) -> None:
    server = make_server(VmState.DELETED, deleted_at=utcnow())
    done(server, "delete")
    place = f"{PATH}/{server.id}/os-instance-actions"

    assert cloud.as_member.at("2.20").get(place).status_code == 404
    assert len(cloud.as_member.at("2.21").get(place).json()["instanceActions"]) == 1
    assert cloud.as_member.at("2.21").get(f"{place}/req-delete-0").status_code == 200
    assert cloud.as_other.at("2.21").get(place).status_code == 404
