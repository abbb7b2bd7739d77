"""A database older than the world: servers follow their guests, nothing is started twice, nothing is reaped (F25).

Each test gives a cloud, takes its rows back to an earlier moment as a restored backup would, and lets the hosts report.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from computecloud.conf import conf
from hosts.drivers.base import Driver
from hosts.drivers.fake.driver import FakeDriver
from hosts.drivers.specs import GuestRef, PowerState
from hosts.drivers.steps import run_all
from hosts.models import Allocation, Inventory, Oddity
from instances.actions.delete import Delete
from instances.actions.power import Stop
from instances.audit import findings
from instances.models import Instance
from operations.models import Event, Operation
from tasks import control, placing, restoring
from tests.flows.conftest import Member
from tests.support.stage import Stage

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.row("F25")]


class Mode:
    """The setting of every process of the cloud."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch

    def begin(self) -> None:
        self._set("true")
        restoring.begin()

    def end(self) -> None:
        call_command("restore_mode", "end", "--force", stdout=StringIO())
        self._set("false")

    def _set(self, value: str) -> None:
        self.monkeypatch.setenv("COMPUTECLOUD_RESTORING", value)
        conf.cache_clear()


@pytest.fixture
def mode(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mode]:
    yield Mode(monkeypatch)
    monkeypatch.undo()
    conf.cache_clear()


def report(stage: Stage) -> None:
    """Every host's agent starts anew, says what it has, and looks three times."""
    stage.start_agent()
    for _look in range(3):
        stage.reconciler.run()


def boots(stage: Stage, guest_id: str) -> int:
    [driver] = [one for one in stage.drivers.values() if guest_id in {guest.id for guest in one.list()}]
    assert isinstance(driver, FakeDriver)
    found = driver.guests.find(guest_id)
    assert found is not None
    return found.boots


def fresh(server: Instance) -> Instance:
    return Instance.objects.get(id=server.id)


def forget(server: Instance) -> None:
    """The backup was made before the server was."""
    Operation.objects.filter(subject_id=server.id).delete()
    Allocation.objects.filter(consumer_id=server.id).delete()
    Instance.objects.filter(id=server.id).delete()
    call_command("audit", "--fix", stdout=StringIO())


def back_to_building(server: Instance, operation: Operation) -> None:
    """The backup was made while it waited for a host."""
    Allocation.objects.filter(consumer_id=server.id).delete()
    Operation.objects.filter(id=operation.id).update(
        state="pending", queue="control", attempt=0, host_id=None, finished_at=None, runner=""
    )
    Instance.objects.filter(id=server.id).update(
        host=None, owner_epoch=0, open_operation=operation.id, settled="building", observed_power=0,
        vm_state="building", status="BUILD", task_state="scheduling", power_state=0,
    )  # fmt: skip
    Inventory.objects.update(used=0, consumers=0)


def test_a_guest_that_runs_is_adopted_where_it_runs_and_not_started_again(
    stage: Stage, member: Member, mode: Mode
) -> None:
    [server] = member.creates()
    stage.settle()
    home, epoch = fresh(server).host_id, fresh(server).owner_epoch
    back_to_building(server, Operation.objects.get(subject_id=server.id))
    mode.begin()

    control.poll()
    stage.reconciler.run()
    stage.start_agent()
    assert not placing.place(Operation.objects.get(subject_id=server.id).id, 0)
    report(stage)

    adopted = fresh(server)
    assert (adopted.host_id, adopted.owner_epoch, adopted.status) == (home, epoch, "ACTIVE")
    assert Event.objects.filter(kind="server.adopted", subject_id=server.id).count() == 1
    mode.end()
    stage.settle()
    report(stage)
    assert boots(stage, server.id) == 1
    stage.assert_balanced()


@pytest.mark.row("F25")
def test_a_guest_that_the_backup_does_not_know_is_listed_and_left_alone(
    stage: Stage, member: Member, mode: Mode
) -> None:
    [server] = member.creates()
    stage.settle()
    home = fresh(server).host
    forget(server)
    mode.begin()
    report(stage)
    assert server.id in stage.guests()
    told = StringIO()
    with pytest.raises(CommandError):
        call_command("restore_mode", "end", stdout=told)
    assert f"{home} has guest {server.id} (running)" in told.getvalue()

    call_command("oddities", "--remove", server.id, stdout=StringIO())
    report(stage)
    assert server.id in stage.guests(), "nothing is removed before the mode ends"
    mode.end()
    stage.reconciler.grace_s = 3600.0  # for what nobody has looked at; this one somebody has
    report(stage)
    assert server.id not in stage.guests()
    assert not Oddity.objects.exists()


def test_unknown_guests_stay_after_the_mode_too_until_somebody_decides(
    stage: Stage, member: Member, mode: Mode
) -> None:
    [server] = member.creates()
    stage.settle()
    forget(server)
    report(stage)
    report(stage)
    assert server.id in stage.guests()
    told = StringIO()
    call_command("oddities", stdout=told)
    assert f"{server.id}  unknown guest (running)" in told.getvalue()


def test_what_was_stopped_after_the_backup_stays_off(stage: Stage, member: Member, mode: Mode) -> None:
    [server] = member.creates()
    stage.settle()
    driver = stage.drivers[str(fresh(server).host_id)]
    assert isinstance(driver, FakeDriver)
    driver.occur(server.id, PowerState.SHUTDOWN)  # while no conductor hears of it
    mode.begin()
    report(stage)
    assert fresh(server).status == "SHUTOFF"
    mode.end()
    stage.settle()
    report(stage)
    assert boots(stage, server.id) == 1
    assert not Operation.objects.open().exists()


def test_what_was_deleted_after_the_backup_is_shown_as_lost_and_not_made_again(
    stage: Stage, member: Member, mode: Mode
) -> None:
    [server] = member.creates()
    stage.settle()
    driver: Driver = stage.drivers[str(fresh(server).host_id)]
    run_all(driver.destroy(GuestRef(server.id, 1, "later")))
    mode.begin()
    report(stage)
    assert fresh(server).status == "ERROR"
    assert "deleted after the backup" in fresh(server).fault_message
    mode.end()
    Delete.request(Member.actor, fresh(server))
    stage.settle()
    stage.assert_balanced()


def test_work_waits_until_the_mode_ends_and_then_goes_on(stage: Stage, member: Member, mode: Mode) -> None:
    [server] = member.creates()
    stage.settle()
    mode.begin()
    report(stage)
    Stop.request(Member.actor, fresh(server))
    [operation] = Operation.objects.open()
    assert not stage.runner.run(operation.id, operation.attempt)
    Operation.objects.filter(id=operation.id).update(deadline_at="2020-01-01T00:00:00Z")
    control.sweep()
    assert Operation.objects.open().count() == 1, "no deadline passes meanwhile"

    mode.end()
    stage.settle()
    assert fresh(server).status == "SHUTOFF"
    assert findings() == []


def test_a_host_that_has_not_reported_keeps_the_mode(stage: Stage, member: Member, mode: Mode) -> None:
    mode.begin()
    told = StringIO()
    with pytest.raises(CommandError):
        call_command("restore_mode", "check", stdout=told)
    assert "host host1 has not reported yet" in told.getvalue()
    report(stage)
    call_command("restore_mode", "check")


def test_an_idle_server_that_lost_a_disk_is_listed(db: None, tmp_path: Any, member: Member) -> None:
    stage = Stage(tmp_path, inspect=True)
    [server] = member.creates()
    stage.settle()
    [disk] = tmp_path.glob(f"host*/disks/{server.id}/disk-vda")
    report(stage)
    assert not Oddity.objects.exists()
    disk.rename(tmp_path / "aside")
    report(stage)
    [found] = Oddity.objects.all()
    assert (found.kind, found.guest_id, found.detail) == ("lost disk", server.id, "vda")
    (tmp_path / "aside").rename(disk)
    report(stage)
    assert not Oddity.objects.exists()
