"""Shelving: an image instead of a guest, no claims, and back by the scheduler."""

from __future__ import annotations

from pathlib import Path

import pytest

from computecloud.conf import conf
from computecloud.core.errors import Conflict
from hosts.drivers.errors import Fatal
from hosts.models import Allocation, Host
from instances.actions.delete import Delete
from instances.actions.pause import Pause
from instances.actions.power import Stop
from instances.actions.shelve import Shelve, ShelveOffload, Unshelve
from instances.actions.suspend import Suspend
from instances.models import Instance
from integrations.images import facade as images
from operations.models import Operation, QuotaGate
from tasks import control, placing
from tests.flows.conftest import Member
from tests.support import auth
from tests.support.stage import Stage
from tests.support.verbs import fail_at, fresh, guest

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def kept_on_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shelved server stays where it is until an administrator says otherwise."""
    monkeypatch.setenv("COMPUTECLOUD_SHELVED_OFFLOAD_S", "-1")
    conf.cache_clear()


@pytest.fixture(autouse=True)
def own_settings() -> object:
    yield
    conf.cache_clear()


def pictures(member: Member) -> list[str]:
    return [image.name for image in images.query(member.actor)]


def test_a_shelved_server_is_an_image_and_holds_nothing_until_it_is_back(
    stage: Stage, member: Member, server: Instance
) -> None:
    Shelve.request(member.actor, server)
    assert (fresh(server).status, fresh(server).task_state) == ("ACTIVE", "shelving")
    stage.settle()

    now = fresh(server)
    assert (now.status, now.host, now.task_state, now.power_state) == ("SHELVED_OFFLOADED", None, None, 0)
    assert pictures(member) == ["one-shelved"]
    assert images.get(member.actor, now.shelved_image_id).status == "active"
    assert not Allocation.objects.exists()
    assert QuotaGate.objects.get(resource="instances").used == 1
    assert stage.guests() == {}
    stage.assert_balanced()

    Unshelve.request(member.actor, now)
    assert (fresh(server).status, fresh(server).task_state) == ("SHELVED_OFFLOADED", "unshelving")
    shelved_image = now.shelved_image_id
    stage.settle()
    now = fresh(server)
    assert (now.status, now.power_on, now.shelved_image_id, now.owner_epoch) == ("ACTIVE", True, "", 2)
    assert guest(stage, now).image == shelved_image
    assert pictures(member) == []
    stage.assert_balanced()


@pytest.mark.parametrize("way", [Stop, Pause, Suspend])
def test_from_wherever_it_may_be(stage: Stage, member: Member, server: Instance, way: type[Stop]) -> None:
    way.request(member.actor, server)
    stage.settle()
    Shelve.request(member.actor, fresh(server))
    stage.settle()
    assert fresh(server).status == "SHELVED_OFFLOADED"
    Unshelve.request(member.actor, fresh(server))
    stage.settle()
    assert fresh(server).status == "ACTIVE"
    stage.assert_balanced()


@pytest.mark.usefixtures("kept_on_host")
def test_shelved_is_not_yet_offloaded(stage: Stage, member: Member, server: Instance) -> None:
    Shelve.request(member.actor, server)
    stage.settle()
    control.sweep()
    stage.settle()
    assert (fresh(server).status, fresh(server).host_id) == ("SHELVED", server.host_id)
    stage.reconciler.run()
    assert fresh(server).status == "SHELVED"

    Unshelve.request(member.actor, fresh(server))
    stage.settle()
    assert (fresh(server).status, guest(stage, server).boots, guest(stage, server).image) == ("ACTIVE", 2, "")
    assert pictures(member) == []

    Shelve.request(member.actor, fresh(server))
    stage.settle()
    ShelveOffload.request(auth.actor("admin"), fresh(server))
    assert fresh(server).task_state == "shelving_offloading"
    stage.settle()
    assert fresh(server).status == "SHELVED_OFFLOADED"
    stage.assert_balanced()


@pytest.mark.usefixtures("kept_on_host")
def test_a_way_back_that_fails_leaves_it_shelved_and_off(
    stage: Stage, member: Member, server: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    Shelve.request(member.actor, server)
    stage.settle()
    fail_at(monkeypatch, "start")
    Unshelve.request(member.actor, fresh(server))
    stage.settle()
    assert (fresh(server).status, guest(stage, server).is_running) == ("SHELVED", False)
    assert pictures(member) == ["one-shelved"]
    stage.assert_balanced()


def test_after_a_while_it_is_offloaded_by_the_sweeper(
    stage: Stage, member: Member, server: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPUTECLOUD_SHELVED_OFFLOAD_S", "60")
    conf.cache_clear()
    Shelve.request(member.actor, server)
    stage.settle()
    control.sweep()
    assert (fresh(server).status, fresh(server).open_operation) == ("SHELVED", None)
    Instance.objects.update(updated_at="2020-01-01T00:00Z")
    control.sweep()
    stage.settle()
    assert fresh(server).status == "SHELVED_OFFLOADED"


@pytest.mark.parametrize("step", ["stop", "copy_disk", "upload_image"])
def test_a_shelving_that_fails_leaves_it_running(
    stage: Stage, member: Member, server: Instance, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    fail_at(monkeypatch, step)
    Shelve.request(member.actor, server)
    stage.settle()
    stage.reconciler.run()
    assert (fresh(server).status, fresh(server).power_state, pictures(member)) == ("ACTIVE", 1, [])
    assert fresh(server).fault_message
    stage.assert_balanced()


def test_a_paused_one_loses_nothing_when_its_image_is_refused(
    stage: Stage, member: Member, server: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_image_id: str, _operation_id: str, _source: Path) -> None:
        raise Fatal("too large")

    Pause.request(member.actor, server)
    stage.settle()
    monkeypatch.setattr(stage.conductor, "store", refuse)
    Shelve.request(member.actor, fresh(server))
    stage.settle()
    assert (fresh(server).status, guest(stage, server).power, pictures(member)) == ("PAUSED", 3, [])


@pytest.mark.row("R13")
def test_no_room_leaves_it_offloaded_with_a_fault(stage: Stage, member: Member, server: Instance) -> None:
    Shelve.request(member.actor, server)
    stage.settle()
    Host.objects.update(is_disabled=True)
    Unshelve.request(member.actor, fresh(server))
    stage.settle()

    now = fresh(server)
    assert (now.status, now.host, now.open_operation, now.power_on) == ("SHELVED_OFFLOADED", None, None, False)
    assert "No valid host" in now.fault_message
    assert pictures(member) == ["one-shelved"]
    stage.assert_balanced()


def test_a_host_that_cannot_is_followed_by_the_next(
    stage: Stage, member: Member, server: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    Shelve.request(member.actor, server)
    stage.settle()
    fail_at(monkeypatch, "define")
    Unshelve.request(member.actor, fresh(server))
    stage.settle()
    assert (fresh(server).status, fresh(server).owner_epoch) == ("ACTIVE", 3)
    assert len(Operation.objects.get(verb="unshelve").args["tried"]) == 1
    stage.assert_balanced()


def test_no_host_can_and_it_stays_offloaded(
    stage: Stage, member: Member, server: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    Shelve.request(member.actor, server)
    stage.settle()
    fail_at(monkeypatch, "define", 9)
    Unshelve.request(member.actor, fresh(server))
    stage.settle()
    assert (fresh(server).status, fresh(server).host, fresh(server).power_on) == ("SHELVED_OFFLOADED", None, False)
    assert pictures(member) == ["one-shelved"]
    stage.assert_balanced()


def test_to_a_host_and_pinned_to_a_zone(stage: Stage, member: Member, server: Instance) -> None:
    Shelve.request(member.actor, server)
    stage.settle()
    [other] = [host for host in stage.hosts if host.id != server.host_id]
    Unshelve.request(member.actor, fresh(server), forced_host=other.name, columns={"pinned_zone": "nova"})
    stage.settle()
    assert (fresh(server).host_id, fresh(server).pinned_zone) == (other.id, "nova")

    Shelve.request(member.actor, fresh(server))
    stage.settle()
    Unshelve.request(member.actor, fresh(server), columns={"pinned_zone": "nowhere"})
    stage.settle()
    assert (fresh(server).status, fresh(server).pinned_zone) == ("SHELVED_OFFLOADED", "nova")


def test_many_wait_and_are_placed_in_one_pass(stage: Stage, member: Member) -> None:
    servers = member.creates(count=3)
    stage.settle()
    for one in servers:
        Shelve.request(member.actor, fresh(one))
    stage.settle()
    for one in servers:
        Unshelve.request(member.actor, fresh(one))
    assert placing.place_waiting() == 3
    stage.settle()
    assert {fresh(one).status for one in servers} == {"ACTIVE"}
    stage.assert_balanced()


@pytest.mark.parametrize("when", ["shelving", "shelved", "unshelving"])
def test_a_delete_takes_the_image_along(stage: Stage, member: Member, server: Instance, when: str) -> None:
    Shelve.request(member.actor, server)
    if when != "shelving":
        stage.settle()
    if when == "unshelving":
        Unshelve.request(member.actor, fresh(server))
        stage.ring(Operation.objects.get(verb="unshelve"))
    Delete.request(member.actor, fresh(server))
    stage.settle()
    assert pictures(member) == []
    assert QuotaGate.objects.get(resource="instances").used == 0
    stage.assert_balanced()


def test_offloading_is_only_ever_finished(
    stage: Stage, member: Member, server: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_at(monkeypatch, "unplug_ports", 2)
    Shelve.request(member.actor, server)
    for _attempt in range(3):
        stage.settle()
        stage.skip_back_off()
    stage.settle()
    assert (fresh(server).status, Operation.objects.get(verb="shelveOffload").attempt) == ("SHELVED_OFFLOADED", 3)
    stage.assert_balanced()


def test_a_sweeper_that_gives_up_leaves_it_where_it_can_be_tried_again(
    stage: Stage, member: Member, server: Instance
) -> None:
    Shelve.request(member.actor, server)
    stage.settle()
    Unshelve.request(member.actor, fresh(server))
    waiting = Operation.objects.get(verb="unshelve")
    stage.ring(waiting)
    Operation.objects.filter(id=waiting.id).update(state="running", attempt=3)
    stage.lose_leases()
    assert (fresh(server).status, fresh(server).host) == ("SHELVED_OFFLOADED", None)
    with pytest.raises(Conflict, match="vm_state shelved_offloaded"):
        Stop.request(member.actor, fresh(server))
    stage.assert_balanced()
    Unshelve.request(member.actor, fresh(server))
    stage.settle()
    assert fresh(server).status == "ACTIVE"
