"""Rescue: a server boots from another disk and back, and what fails on the way leaves it as it was."""

from __future__ import annotations

import pytest

from computecloud.core.errors import Conflict
from instances.actions.delete import Delete
from instances.actions.power import Start, Stop
from instances.actions.rescue import Rescue, Unrescue
from instances.models import Instance
from operations import sealed
from operations.models import Operation
from tests.flows.conftest import Member
from tests.support.stage import Stage
from tests.support.verbs import fail_at, fresh, guest

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_server_is_rescued_and_back(stage: Stage, member: Member, server: Instance) -> None:
    operation = Rescue.request(member.actor, server, admin_password="Secret-12345")
    assert "Secret" not in str(operation.args)
    waiting = Operation.objects.get(verb="rescue")
    assert sealed.unseal(waiting.sealed) == {"admin_password": "Secret-12345"}
    assert (fresh(server).status, fresh(server).task_state) == ("ACTIVE", "rescuing")

    stage.settle()
    assert (fresh(server).status, fresh(server).vm_state, fresh(server).power_state) == ("RESCUE", "rescued", 1)
    assert (guest(stage, server).boots_from, guest(stage, server).boots) == ("rescue", 2)
    assert Operation.objects.get(verb="rescue").sealed is None

    Unrescue.request(member.actor, fresh(server))
    assert (fresh(server).status, fresh(server).task_state) == ("RESCUE", "unrescuing")
    stage.settle()
    assert (fresh(server).status, fresh(server).power_state) == ("ACTIVE", 1)
    assert (guest(stage, server).boots_from, guest(stage, server).disks) == ("root", {"vda": 1024})
    stage.assert_balanced()


def test_a_rescued_server_waits_for_its_way_back_only(stage: Stage, member: Member, server: Instance) -> None:
    Rescue.request(member.actor, server)
    stage.settle()
    for verb in (Rescue, Stop, Start):
        with pytest.raises(Conflict, match="while it is in vm_state rescued"):
            verb.request(member.actor, fresh(server))
    stage.reconciler.run()
    assert fresh(server).status == "RESCUE"

    Delete.request(member.actor, fresh(server))
    stage.settle()
    stage.assert_balanced()


def test_a_stopped_server_is_rescued_and_comes_back_running(stage: Stage, member: Member, server: Instance) -> None:
    Stop.request(member.actor, server)
    stage.settle()
    Rescue.request(member.actor, fresh(server))
    stage.settle()
    Unrescue.request(member.actor, fresh(server))
    stage.settle()
    assert (fresh(server).status, fresh(server).power_on) == ("ACTIVE", True)


@pytest.mark.parametrize("was", ["ACTIVE", "SHUTOFF"])
def test_a_rescue_that_fails_leaves_it_as_it_was(
    stage: Stage, member: Member, server: Instance, monkeypatch: pytest.MonkeyPatch, was: str
) -> None:
    if was == "SHUTOFF":
        Stop.request(member.actor, server)
        stage.settle()
    fail_at(monkeypatch, "start")
    Rescue.request(member.actor, fresh(server))
    stage.settle()

    stage.reconciler.run()
    assert (fresh(server).status, fresh(server).power_on) == (was, was == "ACTIVE")
    assert fresh(server).fault_message
    assert guest(stage, server).boots_from == "root"
    assert guest(stage, server).kept == {}
    stage.assert_balanced()


def test_a_way_back_that_fails_leaves_it_rescued(
    stage: Stage, member: Member, server: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    Rescue.request(member.actor, server)
    stage.settle()
    fail_at(monkeypatch, "start")
    Unrescue.request(member.actor, fresh(server))
    stage.settle()

    assert fresh(server).status == "RESCUE"
    assert guest(stage, server).boots_from == "rescue"


@pytest.mark.parametrize("times", [1, 100])
def test_remains_that_will_not_go_do_not_undo_what_was_reached(
    stage: Stage, member: Member, server: Instance, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    Rescue.request(member.actor, server)
    stage.settle()
    fail_at(monkeypatch, "remove_rescue_disk", times)
    Unrescue.request(member.actor, fresh(server))
    for _attempt in range(3):
        stage.settle()
        stage.skip_back_off()
    stage.settle()

    assert (fresh(server).status, guest(stage, server).boots_from) == ("ACTIVE", "root")
    assert Operation.objects.get(verb="unrescue").state == "succeeded"
    assert Operation.objects.get(verb="unrescue").attempt == min(times + 1, 3)


def test_a_rescue_that_nobody_heard_the_end_of_is_an_error(stage: Stage, member: Member, server: Instance) -> None:
    Rescue.request(member.actor, server)
    Operation.objects.filter(verb="rescue").update(state="running", attempt=3)
    stage.lose_leases()
    assert (fresh(server).status, bool(fresh(server).fault_message)) == ("ERROR", True)

    Rescue.request(member.actor, fresh(server))
    stage.settle()
    assert (fresh(server).status, fresh(server).fault_code) == ("RESCUE", None)


def test_a_server_that_has_no_host_is_not_ready(stage: Stage, member: Member) -> None:
    [made] = member.creates(forced_host="nowhere")
    stage.settle()
    assert fresh(made).status == "ERROR"
    for verb in (Rescue, Stop):
        with pytest.raises(Conflict, match="is not ready"):
            verb.request(member.actor, fresh(made))
    stage.assert_balanced()
