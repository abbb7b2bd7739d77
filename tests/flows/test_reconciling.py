"""What a host sees is not what its rows say: guests that go off, come up, are lost or left over are settled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from hosts.drivers import steps
from hosts.drivers.specs import GuestRef, PowerState
from instances.actions.pause import Pause
from instances.models import Instance
from operations.models import Event, Operation
from operations.models.operation import later
from tasks.conductor import watch, wire
from tests.flows.conftest import Member
from tests.support.stage import Stage

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_guest_that_goes_off_by_itself_shows_shutoff(stage: Stage, member: Member) -> None:
    [server] = member.creates()
    stage.settle()
    server.refresh_from_db()
    stage.reconciler.run()
    steps.run_all(stage.drivers[server.host_id or ""].power_off(GuestRef(server.id, server.owner_epoch)))
    stage.reconciler.run()
    server.refresh_from_db()
    assert (server.status, server.power_on) == ("SHUTOFF", False)


def test_a_paused_guest_that_is_gone_shows_shutoff(stage: Stage, member: Member) -> None:
    [server] = member.creates()
    stage.settle()
    server.refresh_from_db()
    Pause.request(member.actor, server)
    stage.settle()
    stage.reconciler.run()
    server.refresh_from_db()
    assert (server.status, server.power_state) == ("PAUSED", 3)
    steps.run_all(stage.drivers[server.host_id or ""].power_off(GuestRef(server.id, server.owner_epoch)))
    stage.reconciler.run()
    server.refresh_from_db()
    assert server.status == "SHUTOFF"


def test_what_an_unreachable_conductor_cannot_confirm_is_left_alone(stage: Stage, member: Member) -> None:
    [server] = member.creates()
    stage.settle()
    Instance.objects.filter(id=server.id).update(host=None, open_operation=None)
    stage.conductor.is_reachable = False
    for _ in range(3):
        stage.reconciler.run()
    assert server.id in stage.guests()
    stage.conductor.is_reachable = True
    stage.reconciler.run()
    assert server.id in stage.guests(), "one sighting is not enough"
    stage.reconciler.run()
    assert server.id not in stage.guests()


# --- what is left behind


def leave_behind(stage: Stage, member: Member) -> Instance:
    """A guest of which its server's row says that it was deleted."""
    [server] = member.creates()
    stage.settle()
    server.refresh_from_db()
    Instance.objects.filter(id=server.id).update(host=None, open_operation=None)
    return server


def test_leftovers_are_watched_then_set_aside_then_reaped(
    stage: Stage, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = leave_behind(stage, member)
    stage.reconciler.grace_s = 3600.0
    for _ in range(3):
        stage.reconciler.run()
    assert server.id in stage.guests(), "it has its time of grace"

    stage.reconciler.grace_s = 0.0
    stage.reconciler.run()
    assert stage.guests() == {}
    [place] = stage.folder.glob("*/quarantine/*")
    assert place.name.startswith(server.id)
    assert [thing.name for thing in place.iterdir()] == [f"{server.id}.json"]

    for _ in range(2):
        stage.reconciler.run()
    assert place.exists(), "it has its days"
    for driver in stage.drivers.values():
        assert not driver.leftovers(frozenset())
        driver.reap(0.0)
    assert not place.exists()
    told = Event.objects.filter(subject_id=server.id, kind__startswith="server.leftover")
    assert list(told.values_list("kind", "project_id")) == [("server.leftover.set_aside", server.project_id)]


def test_what_a_host_saw_before_a_verb_ended_says_nothing_after_it(stage: Stage, member: Member) -> None:
    """It listed its guests, then a build finished, then its report arrived: the server does not go off for that."""
    [server] = member.creates()
    stage.settle()
    server.refresh_from_db()
    late = watch.observe(wire.Observe(server.host_id or "", [], age_s=30.0))
    assert late.look_again
    server.refresh_from_db()
    assert (server.status, server.power_on) == ("ACTIVE", True)


def test_a_verb_that_ends_while_a_report_is_read_is_newer_than_the_report(stage: Stage, member: Member) -> None:
    """The build is open when the conductor first looks at the rows, and over when it looks again."""
    [server] = member.creates()
    stage.settle()
    server.refresh_from_db()
    rows = Instance.objects.filter(id=server.id)
    rows.update(open_operation="o" * 36, updated_at=later(-60))
    looks: list[str] = []

    def end_after_first_look(execute: Callable[..., Any], sql: str, *more: Any) -> Any:
        found = execute(sql, *more)
        if "instances_instance" in sql and not looks:
            looks.append(sql)
            rows.update(open_operation=None, updated_at=later(0))
        return found

    with connection.execute_wrapper(end_after_first_look):
        answer = watch.observe(wire.Observe(server.host_id or "", [], age_s=1.0))

    server.refresh_from_db()
    assert looks
    assert answer.look_again
    assert (server.vm_state, server.open_operation) == ("active", None)


def test_a_guest_whose_definition_is_gone_is_defined_again_from_its_row(stage: Stage, member: Member) -> None:
    [server] = member.creates()
    stage.settle()
    server.refresh_from_db()
    stage.reconciler.run()
    driver = stage.drivers[server.host_id or ""]
    for step in driver.destroy(GuestRef(server.id, server.owner_epoch))[:2]:
        steps.run(step)
    stage.reconciler.run()
    stage.settle()
    server.refresh_from_db()
    assert server.status == "ACTIVE"
    assert Operation.objects.get(verb="start").args == {"reason": "its definition was gone"}
    stage.assert_balanced()


def test_a_guest_that_runs_or_pauses_by_itself_is_followed(stage: Stage, member: Member) -> None:
    [server] = member.creates()
    stage.settle()
    server.refresh_from_db()
    driver = stage.drivers[server.host_id or ""]
    for power, status in (
        (PowerState.PAUSED, "PAUSED"), (PowerState.RUNNING, "ACTIVE"),
        (PowerState.SHUTDOWN, "SHUTOFF"), (PowerState.RUNNING, "ACTIVE"),
    ):  # fmt: skip
        driver.occur(server.id, power)
        stage.reconciler.run()
        server.refresh_from_db()
        assert server.status == status
