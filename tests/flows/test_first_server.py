"""The whole road of a server on the fake driver: created, stopped, started, rebooted, deleted; nothing left over."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from computecloud.core.errors import Conflict, OverQuota
from hosts.drivers.specs import PowerState
from hosts.models import Host
from instances.actions.console import ConsoleOutput
from instances.actions.create import FlavorSnapshot
from instances.actions.delete import Delete
from instances.actions.power import Start, Stop
from instances.actions.reboot import Reboot
from instances.models import Instance
from operations import sql
from operations.models import Operation
from scheduling import service
from scheduling.models import Decision
from tests.flows.conftest import Member
from tests.support.stage import Stage

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_server_lives_and_leaves_nothing(stage: Stage, member: Member) -> None:
    [server] = member.creates()
    assert (server.status, server.task_state) == ("BUILD", "scheduling")
    stage.settle()

    server = Instance.objects.get(id=server.id)
    assert (server.status, server.task_state, server.power_state) == ("ACTIVE", None, PowerState.RUNNING)
    assert server.launched_at is not None
    stage.assert_balanced()

    Stop.request(member.actor, server, "req-2")
    assert Instance.objects.get(id=server.id).task_state == "powering-off"
    stage.settle()
    server.refresh_from_db()
    assert (server.status, server.power_state) == ("SHUTOFF", PowerState.SHUTDOWN)

    Start.request(member.actor, server, "req-3")
    stage.settle()
    server.refresh_from_db()
    assert (server.status, server.power_state) == ("ACTIVE", PowerState.RUNNING)

    Reboot.request(member.actor, server, "req-4", type="HARD")
    assert Instance.objects.get(id=server.id).status == "HARD_REBOOT"
    stage.settle()
    server.refresh_from_db()
    assert server.status == "ACTIVE"

    Delete.request(member.actor, server, "req-5")
    assert Instance.objects.get(id=server.id).task_state == "deleting"
    stage.settle()
    server.refresh_from_db()
    assert server.status == "DELETED"
    assert server.deleted_at is not None
    stage.assert_balanced()
    assert stage.guests() == {}
    verbs = Operation.objects.order_by("created_at").values_list("verb", "state")
    assert list(verbs) == [(verb, "succeeded") for verb in ("create", "stop", "start", "reboot", "delete")]


def test_servers_spread_over_the_hosts(stage: Stage, member: Member) -> None:
    for number in range(4):
        member.creates(f"s{number}")
        stage.settle()
    per_host = [list(stage.guests().values()).count(host.id) for host in stage.hosts]
    assert per_host == [2, 2]
    assert Decision.objects.count() == 4


def test_no_room_names_the_rule_and_what_is_missing(stage: Stage, member: Member) -> None:
    huge = FlavorSnapshot("9", "huge", vcpus=1, ram_mb=9000, disk_gb=1)
    [server] = member.creates(flavor=huge)
    stage.settle()
    server.refresh_from_db()
    assert server.status == "ERROR"
    assert "RamFilter: 9000 MB of RAM wanted, at most 8192 free" in server.fault_message
    assert "808 MB missing" in server.fault_message
    assert server.host is None
    Delete.request(member.actor, server, "req-2")
    stage.assert_balanced()


def test_quota_is_all_or_nothing(stage: Stage, member: Member) -> None:
    with pytest.raises(OverQuota):
        member.creates(count=11)
    assert Instance.objects.count() == 0
    member.creates(count=10)
    with pytest.raises(OverQuota):
        member.creates()
    stage.settle()
    stage.assert_balanced()


def test_one_verb_at_a_time(stage: Stage, member: Member) -> None:
    [server] = member.creates()
    stage.settle()
    server.refresh_from_db()
    Stop.request(member.actor, server)
    with pytest.raises(Conflict, match="task_state powering-off"):
        Reboot.request(member.actor, server, type="HARD")
    stage.settle()
    server.refresh_from_db()
    with pytest.raises(Conflict, match="vm_state stopped"):
        Stop.request(member.actor, server)


def test_delete_wins_over_a_build_that_has_not_begun(stage: Stage, member: Member) -> None:
    [server] = member.creates()
    Delete.request(member.actor, server)
    stage.settle()
    server.refresh_from_db()
    assert server.status == "DELETED"
    assert stage.guests() == {}
    stage.assert_balanced()


def test_delete_on_a_silent_host_frees_the_quota_and_keeps_the_claim(stage: Stage, member: Member) -> None:
    [server] = member.creates()
    stage.settle()
    server = Instance.objects.select_related("host").get(id=server.id)
    assert server.host is not None
    stage.silence(server.host)
    Delete.request(member.actor, server)
    server.refresh_from_db()
    assert server.deleted_at is not None
    member.creates("again", count=10)
    stage.start_agent()
    stage.settle()
    stage.assert_balanced()


def test_a_question_to_the_host_is_answered_and_changes_nothing(stage: Stage, member: Member) -> None:
    [server] = member.creates()
    stage.settle()
    server = Instance.objects.select_related("host").get(id=server.id)
    asked = ConsoleOutput.request(member.actor, server)
    stage.settle()
    asked.refresh_from_db()
    assert asked.state == "succeeded"
    assert "login:" in (asked.result or {})["output"]
    assert Instance.objects.get(id=server.id).task_state is None
    stage.assert_balanced()


def test_a_host_that_came_up_a_moment_ago_takes_the_first_server(stage: Stage, member: Member) -> None:
    """The scheduler's table may be a second old: before it refuses, it looks again."""
    now = Now() + timedelta(minutes=1)
    Host.objects.update(lease_expires_at=None)
    service.TABLE.forget()
    assert not service.TABLE.get().up.any()
    Host.objects.update(lease_expires_at=now)

    [server] = member.creates()
    stage.settle()
    server.refresh_from_db()
    assert server.status == "ACTIVE", server.fault_message


def test_a_guarded_change_says_how_many_rows_it_touched(stage: Stage, member: Member) -> None:
    """``sql.change`` against the ORM's words for the same: equality, null, one of several."""
    [server] = member.creates()
    living = {"id": server.id, "deleted_at": None}
    assert sql.change(Instance, {**living, "status": ("ACTIVE", "ERROR")}, {"name": "x"}) == 0
    assert sql.change(Instance, {**living, "status": ("BUILD", "ERROR"), "host": None}, {"name": "y"}) == 1
    assert sql.change(Instance, living, {"metadata": {"a": "b"}, "deleted_at": Now()}) == 1
    assert sql.change(Instance, living, {"name": "z"}) == 0
    server.refresh_from_db()
    assert (server.name, server.metadata) == ("y", {"a": "b"})
    assert server.deleted_at is not None
