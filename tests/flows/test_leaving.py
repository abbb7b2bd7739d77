"""A worker that is told to end hands over what it does; one that hears nothing any more starts anew."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now

from computecloud.core import failpoints
from hosts.models import Host
from instances.actions.power import Stop
from instances.models import Instance
from operations import bell
from operations.models import Consumer, Operation
from scheduling import service
from scheduling.request import PlacementRequest
from tasks import canary, control
from tasks.conductor import presence, wire
from tests.flows.conftest import Member
from tests.support.stage import Stage

pytestmark = pytest.mark.django_db(transaction=True)


def leave_at(stage: Stage, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker is told to end just as it passes a crash point."""

    def point(reached: str, *_scope: str) -> None:
        if reached == name:
            stage.runner.leave()

    monkeypatch.setattr(failpoints, "point", point)


def test_an_operation_is_given_back_at_a_steps_boundary_and_goes_on(
    stage: Stage, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    [server] = member.creates()
    leave_at(stage, "server.create.plug_ports.after", monkeypatch)
    stage.ring(Operation.objects.get())
    stage.ring(Operation.objects.get())

    operation = Operation.objects.get()
    assert (operation.state, operation.runner, operation.lease_until) == ("pending", "", None)
    assert (operation.cursor, operation.handovers, operation.crashes) == (4, 1, 0)
    assert [step.name for step in operation.steps.all()] == ["fetch_images", "make_disks", "config_drive", "plug_ports"]

    stage.ring(operation)
    assert Operation.objects.get().state == "pending", "a leaving worker takes nothing more"

    monkeypatch.undo()
    stage.start_agent()
    stage.settle()
    server.refresh_from_db()
    assert server.status == "ACTIVE"
    stage.assert_balanced()


def test_rolling_restarts_are_no_crashes(stage: Stage, member: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    [server] = member.creates()
    stage.ring(Operation.objects.get())
    for _ in range(5):
        leave_at(stage, "server.create.define.before", monkeypatch)
        stage.ring(Operation.objects.get())
        monkeypatch.undo()
        stage.start_agent()
    assert (Operation.objects.get().attempt, Operation.objects.get().handovers) == (5, 5)
    control.end_hopeless()
    stage.settle()
    server.refresh_from_db()
    assert server.status == "ACTIVE"
    stage.assert_balanced()


def test_nothing_new_is_placed_on_a_host_whose_worker_leaves(stage: Stage, member: Member) -> None:
    leaving, staying = stage.hosts
    beats = [wire.HostBeat(host.id) for host in stage.hosts]
    presence.beat(stage.agent.id, wire.Beat(stage.nonce, beats[:1], is_leaving=True))
    service.TABLE.forget()
    assert Host.objects.get(id=leaving.id).is_draining
    servers = member.creates(count=3)
    stage.settle()
    assert {Instance.objects.get(id=one.id).host_id for one in servers} == {staying.id}

    stage.start_agent()
    assert not Host.objects.filter(is_draining=True).exists()


def test_a_farewell_that_comes_late_does_not_close_the_host_to_its_next_worker(stage: Stage) -> None:
    """The next one registers between the look at whose farewell it is and the note that the host is being left."""
    seen: list[str] = []

    def register_meanwhile(execute: Callable[..., Any], sql: str, *more: Any) -> Any:
        found = execute(sql, *more)
        if "hosts_agent" in sql and not seen:
            seen.append(sql)
            stage.start_agent()
        return found

    beat = wire.Beat(stage.nonce, [wire.HostBeat(host.id) for host in stage.hosts], is_leaving=True)
    with connection.execute_wrapper(register_meanwhile):
        presence.beat(stage.agent.id, beat)
    assert seen
    assert not Host.objects.filter(is_draining=True).exists()


def test_a_long_wait_for_a_guest_ends_when_the_worker_leaves(
    stage: Stage, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``stop`` asks a guest for up to a minute; a driver's waits ask whether they must end."""
    from hosts.drivers import steps

    [server] = member.creates()
    stage.settle()
    server.refresh_from_db()
    Stop.request(member.actor, server)

    def wait_long(*_arguments: object, **_more: object) -> None:
        stage.runner.leave()
        steps.check()
        raise AssertionError("the wait was not told to end")

    monkeypatch.setattr(stage.drivers[server.host_id or ""], "shut_down", wait_long)
    stage.ring(Operation.objects.get(verb="stop"))
    assert Operation.objects.get(verb="stop").state == "pending"
    monkeypatch.undo()
    stage.start_agent()
    stage.settle()
    server.refresh_from_db()
    assert server.status == "SHUTOFF"
    stage.assert_balanced()


# --- the canary


class Broker:
    """Takes messages, or not; hands them to nobody."""

    is_there = True

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(bell, "ring", lambda *_words, **_more: self.is_there)
        monkeypatch.setattr(canary.time, "monotonic", lambda: self.now)


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    return Broker(monkeypatch)


def test_a_consumer_that_hears_nothing_is_stalled(broker: Broker) -> None:
    one = canary.Canary(["host.a", "host.b"], "agent.canary", can_judge=lambda: True)
    for broker.now in (0, 30, 60):
        assert one.sing() == []
        one.hear("host.a")
    broker.now = 90
    assert one.sing() == ["host.b"]
    assert one.heard() == ["host.a"]
    assert one.heard() == []


def test_silence_of_a_broker_that_is_away_or_forgets_is_no_stall(broker: Broker) -> None:
    one = canary.Canary(["q"], "agent.canary", can_judge=lambda: True)
    one.sing()
    broker.is_there = False
    for broker.now in (30, 60, 90, 120):
        assert one.sing() == []
    broker.is_there, broker.now = True, 150
    assert one.sing() == []
    broker.now = 200
    assert one.sing() == []
    one.hear("q")
    broker.now = 300
    assert one.sing() == []


def test_a_busy_pool_or_a_conductor_that_is_away_is_no_stall(broker: Broker) -> None:
    able = False
    one = canary.Canary(["q"], "agent.canary", can_judge=lambda: able)
    for broker.now in (0, 30, 60, 90, 120):
        assert one.sing() == []
    able = True
    broker.now = 150
    assert one.sing() == [], "it counts from the last time that silence said nothing"


def test_what_was_heard_is_written_down(stage: Stage) -> None:
    first, second = stage.hosts
    presence.beat(stage.agent.id, wire.Beat(stage.nonce, [wire.HostBeat(first.id)], heard=[second.id]))
    assert [host.consumer_seen_at is not None for host in Host.objects.order_by("number")] == [False, True]
    control.canary("control")
    control.canary("control")
    assert Consumer.objects.get().queue == "control"


def all_leave(stage: Stage) -> None:
    """The agent says that its hosts go for a restart, and the scheduler has read of it."""
    beats = [wire.HostBeat(host.id) for host in stage.hosts]
    presence.beat(stage.agent.id, wire.Beat(stage.nonce, beats, is_leaving=True))
    service.TABLE.forget()


def test_a_server_waits_for_hosts_that_are_only_being_restarted(stage: Stage, member: Member) -> None:
    all_leave(stage)
    [server] = member.creates()
    stage.ring(Operation.objects.get())
    assert Operation.objects.get().not_before is not None, "it is not refused"

    stage.start_agent()
    Operation.objects.update(not_before=None)
    stage.settle()
    server.refresh_from_db()
    assert server.status == "ACTIVE"


def test_it_does_not_wait_for_ever(stage: Stage, member: Member) -> None:
    all_leave(stage)
    [server] = member.creates()
    Operation.objects.update(created_at=Now() - timedelta(minutes=2))
    stage.settle()
    server.refresh_from_db()
    assert server.status == "ERROR"


def test_it_waits_too_when_they_come_back_just_as_it_was_refused(
    stage: Stage, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Storing a refusal waits for the database, and what it waits for may be the hosts' own registration."""
    all_leave(stage)
    [server] = member.creates()
    decide = service.place

    def decide_while_they_return(request: PlacementRequest, commit: service.Commit) -> service.Chosen:
        try:
            return decide(request, commit)
        finally:
            stage.start_agent()

    monkeypatch.setattr(service, "place", decide_while_they_return)
    stage.ring(Operation.objects.get())
    monkeypatch.undo()
    assert Operation.objects.get().not_before is not None, "it is not refused"

    stage.skip_back_off()
    stage.settle()
    server.refresh_from_db()
    assert server.status == "ACTIVE"


def test_a_refusal_that_comes_late_does_not_end_what_another_scheduler_placed(
    stage: Stage, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bell and the poller may both have the operation; the one of them that looks later finds the hosts back."""
    all_leave(stage)
    [server] = member.creates()
    operation = Operation.objects.get()
    decide = service.place

    def decide_slowly(request: PlacementRequest, commit: service.Commit) -> service.Chosen:
        try:
            return decide(request, commit)
        finally:
            monkeypatch.undo()
            stage.start_agent()
            stage.ring(operation)

    monkeypatch.setattr(service, "place", decide_slowly)
    stage.ring(operation)
    assert Operation.objects.get().queue != "control", "it stays where it was placed"
    stage.settle()
    server.refresh_from_db()
    assert server.status == "ACTIVE"
