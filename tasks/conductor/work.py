"""Operations between conductor and host: taken by compare-and-swap, renewed, finished; fenced by attempt and epoch."""

from __future__ import annotations

import structlog
from django.db.models import F, Q
from django.db.models.functions import Now

from computecloud.conf import conf
from computecloud.core.clock import utcnow
from computecloud.core.failpoints import Point
from instances.actions.base import Report
from instances.actions.registry import ACTIONS
from instances.models import Instance, Move
from operations import bell, sql
from operations.committing import Committing
from operations.models import Operation, Step
from operations.models.operation import State, host_queue, later
from tasks.conductor import wire

log = structlog.get_logger(__name__)
FINISHING, TAKEN = Committing("conductor.finish"), Point("conductor.after_take")
BACK_OFF_S = (1.0, 5.0, 15.0)


def take(asked: wire.Take, hosts: frozenset[str]) -> wire.TakeAnswer:
    """Orders for those operations that this runner won. What it cannot read stays as it is, for one that can (F48)."""
    orders, unreadable = [], []
    for rung in asked.operations:
        operation, instance = sql.find_both(Operation, rung.id, Instance, "subject_id")
        if operation is None or operation.host_id not in hosts or operation.attempt != rung.attempt:
            continue
        if operation.exclusive and conf().restoring:
            continue
        if operation.schema_version not in asked.reads:
            unreadable.append(operation.id)
            continue
        order = _take_one(operation, instance, asked.runner)
        if order is not None:
            orders.append(order)
    return wire.TakeAnswer(orders, unreadable)


def _take_one(operation: Operation, instance: Instance | None, runner: str) -> wire.OrderWire | None:
    action = ACTIONS.get(operation.verb)
    if action is None:
        return None  # a verb of a newer version stays pending for a host that knows it
    if instance is None or instance.owner_epoch != operation.epoch:
        return None
    won = Operation.objects.take(
        operation.id,
        attempt=operation.attempt,
        queue=host_queue(operation.host_id or ""),
        runner=runner,
        lease_s=conf().lease_s,
    )
    if not won:
        return None
    TAKEN(operation.host_id)
    return wire.OrderWire(
        operation_id=operation.id,
        verb=operation.verb,
        attempt=operation.attempt + 1,
        subject_id=operation.subject_id,
        host_id=operation.host_id or "",
        epoch=operation.epoch,
        exclusive=operation.exclusive,
        last_attempt=operation.crashes + 1 >= conf().max_attempts,
        deadline_s=max((operation.deadline_at - utcnow()).total_seconds(), 1.0),
        args=operation.args,
        spec=action.spec(instance, operation) if action.with_spec else None,
    )


def makes_image(operation_id: str, image_id: str, hosts: frozenset[str]) -> bool:
    """Whether one of the hosts works on an operation that makes this very image."""
    operation = sql.find(Operation, operation_id)
    if operation is None or operation.state != State.RUNNING or operation.host_id not in hosts:
        return False
    return bool(operation.args.get("image_id") == image_id)


def needs_image(image_id: str, hosts: frozenset[str]) -> bool:
    """Whether one of the hosts makes disks of it: a server there is made of it, or was shelved into it, or is being
    rescued by it."""
    theirs = Instance.objects.alive().filter(host_id__in=hosts)
    if theirs.filter(Q(image_id=image_id) | Q(shelved_image_id=image_id)).exists():
        return True
    running = Operation.objects.filter(host_id__in=hosts, state=State.RUNNING)
    return running.filter(args__rescue_image_id=image_id).exists()


def carried_by(operation_id: str, move_id: str, hosts: frozenset[str]) -> Move | None:
    """The open move, when one of the hosts works on the operation that carries it."""
    operation = sql.find(Operation, operation_id)
    if operation is None or operation.state != State.RUNNING or operation.host_id not in hosts:
        return None
    if operation.args.get("move") != move_id:
        return None
    return Move.objects.filter(uuid=move_id, is_open=True).first()


def renew(asked: wire.Renew, hosts: frozenset[str]) -> wire.RenewAnswer:
    """Longer leases; names those that are lost: superseded, ended, or taken by another attempt."""
    lost = []
    for holding in asked.operations:
        held = Operation.objects.mine(holding.id, attempt=holding.attempt, runner=asked.runner)
        if not held.filter(host_id__in=hosts).update(
            lease_until=later(conf().lease_s), cursor=holding.cursor, updated_at=Now()
        ):
            lost.append(holding.id)
    return wire.RenewAnswer(lost)


def finish(asked: wire.Finish, hosts: frozenset[str]) -> wire.FinishAnswer:
    """Close what is still theirs. A refused report changes nothing."""
    return wire.FinishAnswer([report.id for report in asked.reports if _finish_one(report, asked.runner, hosts)])


def _finish_one(report: wire.Finished, runner: str, hosts: frozenset[str]) -> bool:
    host_id = next(iter(hosts)) if len(hosts) == 1 else ""  # of a crash point's scope
    with FINISHING(host_id):
        operation, instance = sql.find_both(Operation, report.id, Instance, "subject_id")
        if operation is None or not _holds(operation, report, runner, hosts):
            return False
        _note_steps(operation, report)
        if report.outcome == "given_back":
            return _give_back(operation, report)
        if report.outcome == "retry" and operation.crashes < conf().max_attempts:
            return _try_again(operation, report)
        if instance is None or instance.owner_epoch != operation.epoch:
            return False
        outcome = "done" if report.outcome == "done" else "failed"
        said = Report(outcome, report.power, report.code, report.fault, report.details, report.result)
        ACTIONS[operation.verb].finish(operation, instance, said)
    return True


def _holds(operation: Operation, report: wire.Finished, runner: str, hosts: frozenset[str]) -> bool:
    """Fenced: only while this attempt of this runner still holds it. Closing it is guarded by the attempt once more."""
    held = (operation.state, operation.attempt, operation.runner) == (State.RUNNING, report.attempt, runner)
    return held and operation.host_id in hosts


def _note_steps(operation: Operation, report: wire.Finished) -> None:
    if not operation.listed or not report.steps:
        return
    names = ("operation_id", "attempt", "seq", "name", "state", "took_ms", "message")
    rows = [
        (operation.id, operation.attempt, number, step.name[:64], step.state, step.took_ms, step.message[:1000])
        for number, step in enumerate(report.steps)
    ]
    sql.insert_all(Step, names, rows)


def _give_back(operation: Operation, report: wire.Finished) -> bool:
    """A leaving worker stopped at a step's boundary: pending for the one that follows; no crash is counted."""
    mine = Operation.objects.filter(id=operation.id, state=State.RUNNING, attempt=operation.attempt)
    given = mine.update(
        state=State.PENDING,
        runner="",
        lease_until=None,
        cursor=report.cursor,
        handovers=F("handovers") + 1,
        rung_at=None,
        updated_at=Now(),
    )
    if given:
        bell.ring_on_commit(operation)
    return bool(given)


def _try_again(operation: Operation, report: wire.Finished) -> bool:
    """Pending again, not before a while; the relay rings when it is due."""
    pause = BACK_OFF_S[min(operation.crashes, len(BACK_OFF_S)) - 1]
    log.info("operation will be tried again", operation=operation.id, fault=report.fault, pause_s=pause)
    return bool(
        Operation.objects.filter(id=operation.id, state=State.RUNNING, attempt=operation.attempt).update(
            state=State.PENDING,
            runner="",
            lease_until=None,
            not_before=later(pause),
            details=report.details[:4000],
            updated_at=Now(),
        )
    )
