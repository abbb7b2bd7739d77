"""POST /servers/{id}/action: the table of actions, versions, people, locks."""

from __future__ import annotations

from typing import Any

import pytest

from instances.actions.console import ConsoleOutput
from instances.api.server_actions import GONE, LATER, TABLE, tail
from instances.models import Instance
from instances.states import VmState
from integrations.networks.models import PortSecurityGroup, SecurityGroup
from operations.models import Operation
from operations.models.operation import State
from tests.support.auth import PROJECT_A, PROJECT_B
from tests.support.client import Cloud
from tests.support.servers import IMAGE, forget_everything, make_host, make_server, make_server_with_port

PATH = "/compute/v2.1/servers"


@pytest.fixture(autouse=True)
def fresh() -> None:
    forget_everything()


def act(person: Any, server: Instance, key: str, args: Any = None, version: str = "2.1") -> Any:
    return person.at(version).post(f"{PATH}/{server.id}/action", {key: args})


# --- power


@pytest.mark.parametrize(
    ("state", "key", "args", "task", "verb"),
    [
        (VmState.ACTIVE, "os-stop", None, "powering-off", "stop"),
        (VmState.STOPPED, "os-start", None, "powering-on", "start"),
        (VmState.ACTIVE, "reboot", {"type": "SOFT"}, "rebooting", "reboot"),
        (VmState.STOPPED, "reboot", {"type": "hard"}, "rebooting_hard", "reboot"),
        (VmState.ACTIVE, "pause", None, "pausing", "pause"),
        (VmState.PAUSED, "unpause", None, "unpausing", "unpause"),
        (VmState.ACTIVE, "suspend", None, "suspending", "suspend"),
        (VmState.SUSPENDED, "resume", None, "resuming", "resume"),
        (VmState.RESCUED, "unrescue", None, "unrescuing", "unrescue"),
        (VmState.SOFT_DELETED, "restore", None, "restoring", "restore"),
    ],
)
def test_verbs_are_accepted_and_shown(
    cloud: Cloud, state: VmState, key: str, args: Any, task: str, verb: str
) -> None:
    server = make_server(state, host=make_host())

    answer = act(cloud.as_member, server, key, args)

    assert (answer.status_code, answer.content) == (202, b"")
    shown = cloud.as_member.get(f"{PATH}/{server.id}").json()["server"]
    assert shown["OS-EXT-STS:task_state"] == task
    operation = Operation.objects.get()
    assert (operation.verb, operation.request_id) == (verb, answer.headers["X-OpenStack-Request-Id"])
    again = act(cloud.as_member, server, key, args)
    assert again.status_code == 409


def test_a_verb_that_does_not_fit_the_state_is_a_conflict(cloud: Cloud) -> None:
    server = make_server(VmState.ACTIVE, host=make_host())

    answer = act(cloud.as_member, server, "os-start")

    assert answer.json()["conflictingRequest"]["message"] == (
        f"Cannot 'start' instance {server.id} while it is in vm_state active"
    )


@pytest.mark.parametrize("args", [None, {}, {"type": "WARM"}, {"type": "SOFT", "now": True}, "SOFT", []])
def test_a_reboot_says_how(cloud: Cloud, args: Any) -> None:
    assert act(cloud.as_member, make_server(), "reboot", args).status_code == 400


def test_force_delete_is_a_delete(cloud: Cloud) -> None:
    server = make_server(network_info=[])

    assert act(cloud.as_member, server, "forceDelete").status_code == 202
    assert cloud.as_member.get(f"{PATH}/{server.id}").status_code == 404


def test_what_was_not_deleted_is_not_restored(cloud: Cloud) -> None:
    server = make_server(host=make_host())

    assert act(cloud.as_member, server, "restore").json()["conflictingRequest"]["message"] == (
        f"Cannot 'restore' instance {server.id} while it is in vm_state active"
    )


def test_nothing_is_injected(cloud: Cloud) -> None:
    server = make_server()

    assert act(cloud.as_member, server, "injectNetworkInfo").status_code == 403
    assert act(cloud.as_admin, server, "injectNetworkInfo").status_code == 202


def test_an_image_is_told_in_the_words_of_the_version(cloud: Cloud) -> None:
    server = make_server(host=make_host())

    told = act(cloud.as_member, server, "createImage", {"name": "new", "metadata": {"a": "b"}}, version="2.45")

    assert told.status_code == 202
    image = cloud.as_member.get(f"/image/v2/images/{told.json()['image_id']}").json()
    assert (image["name"], image["status"], image["a"]) == ("new", "queued", "b")
    assert act(cloud.as_member, server, "createImage", {"name": "another"}).status_code == 409


def test_an_image_before_2_45_is_a_link(cloud: Cloud) -> None:
    server = make_server(host=make_host())

    told = act(cloud.as_member, server, "createImage", {"name": "old"}, version="2.44")

    assert (told.status_code, told.content) == (202, b"")
    place = told.headers["Location"]
    assert cloud.as_member.get("/image/v2/images/" + place.rpartition("/")[2]).status_code == 200


@pytest.mark.parametrize("wish", [{}, {"name": ""}, {"name": "x" * 256}, {"name": "a", "metadata": {"": "b"}},
                                  {"name": "a", "colour": 1}, {"name": "a", "metadata": {"k": 1}}])  # fmt: skip
def test_an_image_needs_a_name_and_words(cloud: Cloud, wish: dict[str, Any]) -> None:
    assert act(cloud.as_member, make_server(host=make_host()), "createImage", wish).status_code == 400


def test_a_backup_is_told_as_an_image_is_unless_none_is_kept(cloud: Cloud) -> None:
    server = make_server(host=make_host())
    wish = {"name": "nightly", "backup_type": "daily", "rotation": "2", "metadata": {"image_type": "mine"}}

    told = act(cloud.as_member, server, "createBackup", wish, version="2.45")

    assert told.status_code == 202
    image = cloud.as_member.get(f"/image/v2/images/{told.json()['image_id']}").json()
    assert (image["name"], image["image_type"], image["backup_type"]) == ("nightly", "backup", "daily")
    assert Operation.objects.get().args["rotation"] == 2
    none = act(cloud.as_member, make_server(host=server.host), "createBackup", {**wish, "rotation": 0}, version="2.45")
    assert (none.status_code, none.content) == (202, b"")
    assert "Location" in act(cloud.as_member, make_server(host=server.host), "createBackup", wish).headers


@pytest.mark.parametrize("wrong", [{"rotation": -1}, {"rotation": "x"}, {"rotation": None}, {"backup_type": 1},
                                   {"name": ""}, {"colour": 1}, {"metadata": {"": "b"}}])  # fmt: skip
def test_a_backup_needs_a_name_a_kind_and_a_number(cloud: Cloud, wrong: dict[str, Any]) -> None:
    wish = {"name": "nightly", "backup_type": "daily", "rotation": 1}
    server = make_server(host=make_host())
    assert act(cloud.as_member, server, "createBackup", wish | wrong).status_code == 400
    for name in wish:
        short = {key: value for key, value in wish.items() if key != name}
        assert act(cloud.as_member, server, "createBackup", short).status_code == 400


def test_more_metadata_than_allowed_makes_no_image(cloud: Cloud) -> None:
    metadata = {f"k{number}": "v" for number in range(129)}
    wish = {"name": "a", "metadata": metadata}
    assert act(cloud.as_member, make_server(host=make_host()), "createImage", wish).status_code == 403
    assert cloud.as_member.get("/image/v2/images").json()["images"] == []


# --- who


@pytest.mark.parametrize("key", sorted(TABLE))
def test_readers_and_strangers_do_nothing(cloud: Cloud, key: str) -> None:
    server = make_server()
    args: dict[str, Any] = {
        "reboot": {"type": "SOFT"}, "os-resetState": {"state": "error"}, "os-getConsoleOutput": {},
        "addSecurityGroup": {"name": "default"}, "removeSecurityGroup": {"name": "default"},
        "createBackup": {"name": "picture", "backup_type": "daily", "rotation": 1},
        "createImage": {"name": "picture"}, "changePassword": {"adminPass": "Secret-12345"},
        "rebuild": {"imageRef": IMAGE}, "resize": {"flavorRef": "2"},
    }  # fmt: skip

    assert act(cloud.as_reader, server, key, args.get(key)).status_code == 403
    assert act(cloud.as_other, server, key, args.get(key)).status_code == 404
    assert act(cloud.anonymous, server, key, args.get(key)).status_code == 401
    assert not Operation.objects.exists()


# --- locks


def test_a_lock_holds_members_off_until_it_is_opened(cloud: Cloud) -> None:
    server = make_server(host=make_host())

    assert act(cloud.as_member, server, "lock").status_code == 202
    answer = act(cloud.as_member, server, "os-stop")
    assert answer.json() == {"conflictingRequest": {"code": 409, "message": f"Instance {server.id} is locked"}}
    assert cloud.as_member.at("2.9").get(f"{PATH}/{server.id}").json()["server"]["locked"] is True
    assert act(cloud.as_member, server, "unlock").status_code == 202
    assert act(cloud.as_member, server, "os-stop").status_code == 202


def test_a_lock_has_a_reason_from_2_73(cloud: Cloud) -> None:
    server = make_server()

    assert act(cloud.as_member, server, "lock", {"locked_reason": "backup"}, "2.73").status_code == 202
    shown = cloud.as_member.at("2.73").get(f"{PATH}/{server.id}").json()["server"]
    assert (shown["locked"], shown["locked_reason"]) == (True, "backup")
    act(cloud.as_member, server, "unlock", None, "2.73")
    assert cloud.as_member.at("2.73").get(f"{PATH}/{server.id}").json()["server"]["locked_reason"] is None
    for wrong in ({"locked_reason": ""}, {"locked_reason": "x" * 256}, {"why": "x"}, "x"):
        assert act(cloud.as_member, server, "lock", wrong, "2.73").status_code == 400
    assert act(cloud.as_member, server, "lock", {"anything": "goes"}, "2.72").status_code == 202


def test_an_administrators_lock_is_opened_by_administrators(cloud: Cloud) -> None:
    server = make_server(host=make_host())
    act(cloud.as_admin, server, "lock")

    assert act(cloud.as_member, server, "unlock").status_code == 403
    act(cloud.as_member, server, "lock")
    assert act(cloud.as_member, server, "unlock").status_code == 403
    assert act(cloud.as_admin, server, "os-stop").status_code == 202
    assert act(cloud.as_admin, server, "unlock").status_code == 202
    server.refresh_from_db()
    assert server.locked_by == ""


# --- state by hand


def test_an_administrator_sets_the_state_by_hand(cloud: Cloud) -> None:
    server = make_server(host=make_host())
    act(cloud.as_member, server, "os-stop")

    assert act(cloud.as_member, server, "os-resetState", {"state": "error"}).status_code == 403
    assert act(cloud.as_admin, server, "os-resetState", {"state": "error"}).status_code == 202
    shown = cloud.as_member.get(f"{PATH}/{server.id}").json()["server"]
    assert (shown["status"], shown["OS-EXT-STS:task_state"]) == ("ERROR", None)
    assert Operation.objects.get(verb="stop").state == State.SUPERSEDED
    assert act(cloud.as_admin, server, "os-resetState", {"state": "active"}).status_code == 202
    assert cloud.as_member.get(f"{PATH}/{server.id}").json()["server"]["status"] == "ACTIVE"
    assert act(cloud.as_admin, server, "os-resetState", {"state": "paused"}).status_code == 400


# --- console


def test_the_console_log_is_cut_to_the_lines_asked_for(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    def answers(*_asked: Any) -> dict[str, str]:
        return {"output": "one\ntwo\nthree"}

    monkeypatch.setattr(ConsoleOutput, "ask", answers)  # the host's side has tests of its own
    server = make_server(host=make_host())

    everything = "one\ntwo\nthree"
    for length, text in ((2, "two\nthree"), ("1", "three"), (None, everything), (-1, everything), (0, "")):
        answer = act(cloud.as_member, server, "os-getConsoleOutput", {"length": length})
        assert answer.json() == {"output": text}
    for wrong in ({"length": "x"}, {"length": -2}, {"size": 1}, None, []):
        assert act(cloud.as_member, server, "os-getConsoleOutput", wrong).status_code == 400


def test_a_server_without_a_host_has_no_console(cloud: Cloud) -> None:
    assert act(cloud.as_member, make_server(VmState.BUILDING), "os-getConsoleOutput", {}).status_code == 409


def test_the_tail_of_a_text() -> None:
    assert tail("a\nb\n", 1) == ""
    assert tail("a", 9) == "a"


# --- security groups


def test_a_server_joins_and_leaves_a_group(cloud: Cloud) -> None:
    group = SecurityGroup.objects.create(project_id=PROJECT_A, name="web")
    theirs = SecurityGroup.objects.create(project_id=PROJECT_B, name="theirs")
    server = make_server_with_port()

    for name in ("nobody", theirs.id, "theirs"):
        assert act(cloud.as_member, server, "addSecurityGroup", {"name": name}).status_code == 404
    for _ in range(2):
        assert act(cloud.as_member, server, "addSecurityGroup", {"name": "web"}).status_code == 202
    assert PortSecurityGroup.objects.filter(group_id=group.id).count() == 1
    shown = cloud.as_member.get(f"{PATH}/{server.id}").json()["server"]["security_groups"]
    assert {"name": "web"} in shown
    listed = cloud.as_member.get(f"{PATH}/{server.id}/os-security-groups").json()["security_groups"]
    assert {entry["name"] for entry in listed} == {entry["name"] for entry in shown}
    assert act(cloud.as_member, server, "removeSecurityGroup", {"name": group.id}).status_code == 202
    assert act(cloud.as_member, server, "removeSecurityGroup", {"name": "web"}).status_code == 404
    assert {"name": "web"} not in cloud.as_member.get(f"{PATH}/{server.id}").json()["server"]["security_groups"]


def test_a_server_without_ports_joins_no_group(cloud: Cloud) -> None:
    SecurityGroup.objects.create(project_id=PROJECT_A, name="web")

    assert act(cloud.as_member, make_server(), "addSecurityGroup", {"name": "web"}).status_code == 400


@pytest.mark.parametrize("args", [None, {}, {"name": ""}, {"name": " "}, {"name": 5}, {"id": "x"}])
def test_a_group_has_a_name(cloud: Cloud, args: Any) -> None:
    assert act(cloud.as_member, make_server(), "addSecurityGroup", args).status_code == 400


# --- the rest of Nova's actions


@pytest.mark.parametrize("key", sorted(LATER))
def test_what_is_not_built_yet_says_so(cloud: Cloud, key: str) -> None:
    server = make_server()
    since, until, _ = LATER[key]

    answer = act(cloud.as_member, server, key, {}, until or "2.104")
    assert answer.status_code == 501
    assert answer.json()["notImplemented"]["message"].endswith(f"({key}).")
    assert act(cloud.as_other, server, key, {}, until or "2.104").status_code == 404
    if until:
        after = f"2.{int(until[2:]) + 1}"
        assert act(cloud.as_member, server, key, {}, after).status_code == 404
    if since != "2.1":
        assert act(cloud.as_member, server, key, {}, f"2.{int(since[2:]) - 1}").status_code == 404


@pytest.mark.parametrize("key", sorted(GONE))
def test_what_is_gone_says_so(cloud: Cloud, key: str) -> None:
    assert act(cloud.as_member, make_server(), key).status_code == 410


@pytest.mark.parametrize(
    "body", [None, [], {}, "os-start", {"fly": None}, {"": None}, {"os-start": None, "os-stop": None}]
)
def test_wrong_bodies_are_told(cloud: Cloud, body: Any) -> None:
    server = make_server()

    answer = cloud.as_member.post(f"{PATH}/{server.id}/action", body)

    assert answer.status_code == 400, answer.content
    assert answer.json()["badRequest"]["code"] == 400


def test_the_old_path_knows_nine_actions(cloud: Cloud) -> None:
    server = make_server(host=make_host())
    place = f"/compute/v2.1/os-volumes_boot/{server.id}/action"

    assert cloud.as_member.at("2.102").post(place, {"lock": None}).status_code == 400
    assert cloud.as_member.at("2.103").post(place, {"os-stop": None}).status_code == 404
    assert cloud.as_member.at("2.102").post(place, {"os-stop": None}).status_code == 202
