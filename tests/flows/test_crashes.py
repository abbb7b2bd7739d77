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
from tasks.conductor import presence, wire
from tests.flows.conftest import Member
from tests.support.stage import Stage
from tests.support.verbs import fail_at

pytestmark = pytest.mark.django_db(transaction=True)


class Died(BaseException):
    """Not an Exception: nothing in the product may catch it, as nothing catches SIGKILL."""


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """Let the process die at a crash point, once; the list says which points were passed."""

    def arm(name: str) -> list[str]:
        passed: list[str] = []

        def point(reached: str, *_scope: str) -> None:
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


@pytest.mark.row("F17")
def test_an_operation_that_always_kills_its_worker_is_stopped(
    stage: Stage, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    [server] = member.creates()

    def point(reached: str, *_scope: str) -> None:
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
    monkeypatch.setattr(stage.runner, "_report", lambda *_report: None)
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


@pytest.mark.row("F35")
def test_the_same_bell_five_times_acts_once(stage: Stage, member: Member) -> None:
    member.creates()
    for _ in range(2):
        operation = Operation.objects.get()
        won = [stage.ring(operation) for _ in range(5)]
        assert len(won) == 5
    assert Operation.objects.get().attempt == 1
    stage.assert_balanced()


@pytest.mark.row("F15")
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
    late = wire.Finish("frozen", [wire.Finished(operation.id, frozen.attempt, "failed", fault="too late")])
    assert stage.conductor.finish(late).accepted == []
    server.refresh_from_db()
    assert server.status == "ACTIVE"
    stage.assert_balanced()


def _take(operation_id: str, attempt: int, runner: str):  # type: ignore[no-untyped-def]
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


def test_the_steps_of_every_host_that_tried_are_told(
    stage: Stage, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    [server] = member.creates()
    fail_at(monkeypatch, "define")
    stage.settle()
    server.refresh_from_db()
    assert server.status == "ACTIVE"
    steps = Operation.objects.get().steps.values_list("attempt", "name", "state")
    assert (1, "define", "failed") in steps
    assert (2, "define", "done") in steps
    stage.assert_balanced()


# --- deliveries


@pytest.mark.row("F36")
def test_a_bell_that_comes_an_hour_late_finds_nothing_to_do(stage: Stage, member: Member) -> None:
    [server] = member.creates()
    stage.ring(Operation.objects.get())
    late = Operation.objects.get()
    stage.settle()
    server.refresh_from_db()
    Delete.request(member.actor, server)
    stage.settle()
    assert stage.runner.run(late.id, late.attempt) is False
    assert stage.guests() == {}
    stage.assert_balanced()


@pytest.mark.row("F37")
def test_stop_start_reboot_and_delete_are_delivered_out_of_order(stage: Stage, member: Member) -> None:
    """The rows decide: each verb waits for the one before, and delete ends whatever is open."""
    [server] = member.creates()
    stage.settle()
    bells: list[tuple[str, int]] = []
    for verb in (Stop, Start, Reboot):
        server.refresh_from_db()
        asked = verb.request(member.actor, server, **verb.examples[-1])
        bells.append((asked.id, asked.attempt))
        if verb is not Reboot:
            stage.settle()
    server.refresh_from_db()
    gone = Delete.request(member.actor, server)
    for operation_id, attempt in [(gone.id, gone.attempt), *reversed(bells)]:
        stage.runner.run(operation_id, attempt)
    server.refresh_from_db()
    assert server.status == "DELETED"
    assert Operation.objects.get(verb="reboot").state == "superseded"
    assert stage.guests() == {}
    stage.assert_balanced()


@pytest.mark.row("F40")
@pytest.mark.parametrize("times", [1, 2])
def test_delete_races_a_build_at_every_step(
    times: int, stage: Stage, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked once or twice while the build stands at each of its points; the build's host hears of it at a renewal."""
    from tasks import crashpoints

    points = [f"server.create.{step}.{when}" for step in crashpoints.steps_of("create") for when in ("before", "after")]
    assert len(points) >= 12
    for name in points:
        [server] = member.creates()

        def point(reached: str, *_scope: str, name: str = name, server: Instance = server) -> None:
            if reached == name:
                server.refresh_from_db()
                for _ in range(times):
                    Delete.request(member.actor, server)
                stage.runner.renew()

        monkeypatch.setattr(failpoints, "point", point)
        stage.settle()
        monkeypatch.undo()
        server.refresh_from_db()
        assert server.status == "DELETED", name
        assert Operation.objects.filter(subject_id=server.id, verb="delete").count() == 1
        assert stage.guests() == {}, name
        stage.assert_balanced()


def test_an_order_that_was_on_its_way_while_the_server_was_deleted_comes_too_late(
    stage: Stage, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The conductor gave it out, and its answer was slow: a delete was done and told before the host read it."""
    [server] = member.creates()
    stage.ring(Operation.objects.get())
    create = Operation.objects.get()
    take = stage.conductor.take

    def slow(body: wire.Take) -> wire.TakeAnswer:
        monkeypatch.undo()
        answer = take(body)
        Delete.request(member.actor, Instance.objects.get(id=server.id))
        stage.ring(Operation.objects.get(verb="delete"))
        return answer

    monkeypatch.setattr(stage.conductor, "take", slow)
    stage.ring(create)

    assert Operation.objects.get(verb="delete").state == "succeeded"
    assert stage.guests() == {}
    stage.assert_balanced()


@pytest.mark.row("F33")
def test_a_host_is_down_by_the_databases_clock_alone(stage: Stage, member: Member) -> None:
    """What a host says of the time is not asked; its lease ends by the clock that began it."""
    from hosts.models import Host
    beat = wire.Beat(stage.nonce, [wire.HostBeat(host.id) for host in stage.hosts])
    presence.beat(stage.agent.id, beat)
    assert all(host.is_up for host in Host.objects.with_liveness())
    stage.silence(stage.hosts[0])
    assert [host.is_up for host in Host.objects.with_liveness().order_by("number")] == [False, True]
    presence.beat(stage.agent.id, beat)
    assert all(host.is_up for host in Host.objects.with_liveness())


def test_a_hypervisor_that_does_not_answer_three_times_takes_its_host_down(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hosts.drivers.errors import Transient
    from tasks.agent.runtime import Runtime
    from tests.flows.test_one_identity import _conf

    monkeypatch.setattr("tasks.agent.runtime.conf", lambda: _conf(stage.folder))
    from tasks.agent.identity import HostIdentity

    runtime = Runtime([HostIdentity(stage.hosts[0].id, "one", "secret", "http://127.0.0.1:1")])
    [(host_id, driver)] = runtime.drivers.items()

    def silent() -> None:
        raise Transient("listing guests: the hypervisor does not answer")

    monkeypatch.setattr(driver, "inventory", silent)
    assert [runtime._beat_of(host_id, driver).is_sound for _ in range(4)] == [True, True, False, False]
    monkeypatch.undo()
    assert runtime._beat_of(host_id, driver).is_sound
