"""The worker dies at each step of each verb, the bell is lost, reports are lost: all end right, nothing is left over.

Here a step raises and the process "restarts" by a new runner on the same disks; tests/faults kills real processes.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from computecloud.core import failpoints
from instances.actions.create_image import CreateImage
from instances.actions.delete import Delete
from instances.actions.pause import Pause, Unpause
from instances.actions.power import Start, Stop
from instances.actions.reboot import Reboot
from instances.actions.suspend import Resume, Suspend
from instances.models import Instance
from operations.models import Operation
from tests.flows.conftest import Member
from tests.support.stage import Stage

pytestmark = pytest.mark.django_db(transaction=True)


class Died(BaseException):
    """Not an Exception: nothing in the product may catch it, as nothing catches SIGKILL."""


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """Let the process die at a crash point, once; the list says which points were passed."""

    def arm(name: str) -> list[str]:
        passed: list[str] = []

        def point(reached: str) -> None:
            passed.append(reached)
            if reached == name and passed.count(name) == 1:
                raise Died(name)

        monkeypatch.setattr(failpoints, "point", point)
        return passed

    return arm


def run_until_settled(stage: Stage) -> None:
    """As processes live and die: after a death the lease runs out and a new process comes."""
    for _ in range(6):
        try:
            stage.settle()
        except Died:
            stage.start_agent()
            stage.lose_leases()
            continue
        return
    raise AssertionError("died too often")


def prepare(verb: str, stage: Stage, member: Member) -> Instance:
    """A server about to go through the verb, which is accepted."""
    [server] = member.creates()
    if verb == "create":
        return server
    stage.settle()
    server.refresh_from_db()
    before = {"start": Stop, "unpause": Pause, "resume": Suspend}.get(verb)
    if before is not None:
        before.request(member.actor, server)
        stage.settle()
        server.refresh_from_db()
    {
        "delete": lambda: Delete.request(member.actor, server),
        "stop": lambda: Stop.request(member.actor, server),
        "start": lambda: Start.request(member.actor, server),
        "reboot": lambda: Reboot.request(member.actor, server, type="HARD"),
        "createImage": lambda: CreateImage.of(member.actor, server, "picture", {}),
        "pause": lambda: Pause.request(member.actor, server),
        "unpause": lambda: Unpause.request(member.actor, server),
        "suspend": lambda: Suspend.request(member.actor, server),
        "resume": lambda: Resume.request(member.actor, server),
    }[verb]()
    return server


ENDS = {
    "create": "ACTIVE", "delete": "DELETED", "stop": "SHUTOFF", "start": "ACTIVE", "reboot": "ACTIVE",
    "createImage": "ACTIVE", "pause": "PAUSED", "unpause": "ACTIVE", "suspend": "SUSPENDED", "resume": "ACTIVE",
}  # fmt: skip


def points_of(verb: str, stage: Stage, member: Member, dying: Callable[[str], list[str]]) -> list[str]:
    """The crash points of a verb, by passing them once: the list is generated."""
    prepare(verb, stage, member)
    passed = dying("")
    stage.settle()
    return list(dict.fromkeys(passed))


@pytest.mark.parametrize("verb", list(ENDS))
def test_the_worker_dies_at_each_point(
    verb: str, stage: Stage, member: Member, dying: Callable[[str], list[str]]
) -> None:
    points = points_of(verb, stage, member, dying)
    assert len(points) >= 2, points
    for name in points:
        server = prepare(verb, stage, member)
        passed = dying(name)
        run_until_settled(stage)
        dying("")
        assert name in passed
        server.refresh_from_db()
        assert server.status == ENDS[verb], f"{name}: {server.status} {server.fault_message}"
        stage.assert_balanced()
        for one in Instance.objects.alive():
            Delete.request(member.actor, one)
        stage.settle()
        stage.assert_balanced()


def test_an_operation_that_always_kills_its_worker_is_stopped(
    stage: Stage, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    [server] = member.creates()

    def point(reached: str) -> None:
        if reached == "server.create.define.before":
            raise Died(reached)

    monkeypatch.setattr(failpoints, "point", point)
    for _ in range(20):
        try:
            stage.settle()
        except Died:
            stage.start_agent()
            stage.lose_leases()
            continue
        break
    server.refresh_from_db()
    assert server.status == "ERROR"
    assert "crashed its worker 3 times" in server.fault_message
    monkeypatch.undo()
    stage.reconciler.run()
    stage.reconciler.run()
    assert stage.guests() == {}
    Delete.request(member.actor, server)
    stage.settle()
    stage.assert_balanced()


def test_a_report_that_got_lost_is_made_again(stage: Stage, member: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    [server] = member.creates()
    monkeypatch.setattr(stage.runner, "_report", lambda _report: None)
    for operation in Operation.objects.all():
        stage.ring(operation)
        operation.refresh_from_db()
        stage.ring(operation)
    assert Operation.objects.get().state == "running"
    stage.start_agent()
    stage.lose_leases()
    stage.settle()
    server.refresh_from_db()
    assert server.status == "ACTIVE"
    stage.assert_balanced()


def test_the_same_bell_five_times_acts_once(stage: Stage, member: Member) -> None:
    member.creates()
    for _ in range(2):
        operation = Operation.objects.get()
        won = [stage.ring(operation) for _ in range(5)]
        assert len(won) == 5
    assert Operation.objects.get().attempt == 1
    stage.assert_balanced()


def test_a_woken_worker_of_the_past_changes_nothing(stage: Stage, member: Member) -> None:
    """F15: it froze past its lease; the next attempt finished; its own report comes late."""
    [server] = member.creates()
    stage.ring(Operation.objects.get())
    operation = Operation.objects.get()
    frozen = stage.conductor.take(
        _take(operation.id, operation.attempt, "frozen"),
    ).orders[0]
    stage.lose_leases()
    stage.settle()
    from tasks.conductor import wire

    late = wire.Finish("frozen", [wire.Finished(operation.id, frozen.attempt, "failed", fault="too late")])
    assert stage.conductor.finish(late).accepted == []
    server.refresh_from_db()
    assert server.status == "ACTIVE"
    stage.assert_balanced()


def _take(operation_id: str, attempt: int, runner: str):  # type: ignore[no-untyped-def]
    from tasks.conductor import wire

    return wire.Take([wire.Bell(operation_id, attempt)], runner)


def test_a_host_that_fails_gives_way_to_the_next(stage: Stage, member: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    """R05: the build fails on one host and succeeds on another; the first keeps nothing."""
    from hosts.drivers.errors import Fatal

    [server] = member.creates()
    stage.ring(Operation.objects.get())
    first = Instance.objects.get(id=server.id).host_id
    assert first is not None

    def refuse(_spec: object) -> list[object]:
        raise Fatal("no space left on this host")

    monkeypatch.setattr(stage.drivers[first], "spawn", refuse)
    stage.settle()
    server.refresh_from_db()
    assert server.status == "ACTIVE"
    assert server.host_id != first
    stage.assert_balanced()


def test_a_guest_that_goes_off_by_itself_shows_shutoff(stage: Stage, member: Member) -> None:
    from hosts.drivers import steps
    from hosts.drivers.specs import GuestRef

    [server] = member.creates()
    stage.settle()
    server.refresh_from_db()
    stage.reconciler.run()
    steps.run_all(stage.drivers[server.host_id or ""].power_off(GuestRef(server.id, server.owner_epoch)))
    stage.reconciler.run()
    server.refresh_from_db()
    assert (server.status, server.power_on) == ("SHUTOFF", False)


def test_a_paused_guest_that_is_gone_shows_shutoff(stage: Stage, member: Member) -> None:
    from hosts.drivers import steps
    from hosts.drivers.specs import GuestRef

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
