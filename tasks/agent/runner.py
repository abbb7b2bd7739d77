"""Running one operation on a host: take it, do its steps under its lease, report. Delivered twice, it acts once."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import structlog

from computecloud.conf import conf
from computecloud.core import failpoints
from hosts.drivers import steps as stepping
from hosts.drivers.base import Driver
from hosts.drivers.errors import DriverError, GuestNotFound, Transient, Unsupported
from hosts.drivers.specs import PowerState, Step
from instances.actions.base import Order
from instances.actions.registry import ACTIONS, READS
from tasks.agent.client import Conductor, ConductorUnreachable
from tasks.agent.journal import EpochTooOld, Journal
from tasks.conductor import wire

if TYPE_CHECKING:
    from collections.abc import Iterator

log = structlog.get_logger(__name__)
REPORT_TRIES = 5
AFTER_TAKE = failpoints.Point("agent.take.after")
BEFORE_REPORT, AFTER_REPORT = failpoints.Point("agent.report.before"), failpoints.Point("agent.report.after")


class Stopped(Exception):
    """The operation is no longer ours: superseded, or its lease was lost."""


class Leaving(Exception):
    """This process ends: what it does is given back at a step's boundary."""


@dataclass
class Work:
    """One operation under way in this process."""

    order: wire.OrderWire
    stop: threading.Event = field(default_factory=threading.Event)
    leased_at: float = field(default_factory=time.monotonic)  # when its lease was last known to begin, or earlier
    cursor: int = 0
    steps: list[wire.StepReport] = field(default_factory=list)


class Runner:
    """Shared by all threads of the agent; ``runner`` names this process in every fenced write."""

    def __init__(
        self, conductor: Conductor, drivers: dict[str, Driver], journal: Journal, reads: tuple[int, ...] = READS
    ) -> None:
        self.conductor = conductor
        self.drivers = drivers
        self.journal = journal
        self.reads = reads
        self.runner = uuid.uuid4().hex
        self._leaving = threading.Event()
        self._lock = threading.Lock()
        self._works: dict[str, Work] = {}
        self._gates: dict[str, threading.Lock] = {}

    # --- what the threads do

    def run(self, operation_id: str, attempt: int) -> bool:
        """Whether this call won the operation."""
        if self._leaving.is_set():
            return False
        asked_at = time.monotonic()
        answer = self.conductor.take(wire.Take([wire.Bell(operation_id, attempt)], self.runner, self.reads))
        for unread in answer.unreadable:
            log.warning("operation left alone: its form is not of this release", operation=unread, reads=self.reads)
        for order in answer.orders:
            AFTER_TAKE(order.host_id)
            self._work(Work(order, leased_at=asked_at))
        return bool(answer.orders)

    def _work(self, work: Work) -> None:
        order = work.order
        with self._registered(work), self._gate(work):
            if order.host_id not in self.drivers:
                return
            try:
                report = self._perform(work)
            except Stopped:
                log.info("operation given up", operation=order.operation_id, verb=order.verb)
                return
            except Leaving:
                log.info("operation given back", operation=order.operation_id, verb=order.verb, cursor=work.cursor)
                report = self._finished(work, "given_back", cursor=work.cursor)
        self._report(work, report)

    @contextmanager
    def _registered(self, work: Work) -> Iterator[None]:
        """Known to the renewer; an older exclusive operation on the same guest is told to stop at its next step."""
        with self._lock:
            if work.order.exclusive:
                for other in self._works.values():
                    if other.order.subject_id == work.order.subject_id and other.order.exclusive:
                        other.stop.set()
            self._works[work.order.operation_id] = work
        try:
            yield
        finally:
            with self._lock:
                if self._works.get(work.order.operation_id) is work:
                    del self._works[work.order.operation_id]

    @contextmanager
    def _gate(self, work: Work) -> Iterator[None]:
        """One exclusive operation at a time on a guest."""
        if not work.order.exclusive:
            yield
            return
        subject = work.order.subject_id
        with self._lock:
            gate = self._gates.setdefault(subject, threading.Lock())
        with gate:
            yield
        with self._lock:
            if not gate.locked():
                self._gates.pop(subject, None)

    def _perform(self, work: Work) -> wire.Finished:
        order = work.order
        driver = self.drivers[order.host_id]
        action = ACTIONS[order.verb]()
        todo = _order(order)
        done: list[Step] = []
        try:
            self.journal.admit(order.subject_id, order.epoch)
            for step in action.perform(driver, todo):
                if not step.tidies:
                    done.append(step)
                    self._step(work, step)
                elif not self._tidy(work, step):
                    return self._finished(work, "retry", fault=work.steps[-1].message, details=f"in {step.name}")
            result = action.answer(driver, todo)
            return self._finished(work, "done", power=self._power(driver, order), result=result)
        except EpochTooOld as problem:
            return self._finished(work, "failed", fault="Another owner has this server.", details=str(problem))
        except Transient as problem:
            self._go_on(work)
            if not order.last_attempt:
                return self._finished(work, "retry", fault=str(problem), details=repr(problem))
            return self._failed(work, driver, done, problem)
        except (DriverError, failpoints.InjectedFailure) as problem:
            return self._failed(work, driver, done, problem)
        except Exception as problem:  # unknown: the same as transient, but told in full to the operator
            if isinstance(problem, Stopped | Leaving):
                raise
            log.exception("step failed unexpectedly", operation=order.operation_id, verb=order.verb)
            if not order.last_attempt:
                return self._finished(work, "retry", fault=type(problem).__name__, details=repr(problem))
            return self._failed(work, driver, done, problem)

    def _step(self, work: Work, step: Step) -> None:
        """One ensure-step between its two crash points."""
        self._go_on(work)
        name, host_id = f"server.{work.order.verb}.{step.name}", work.order.host_id
        start = time.perf_counter()
        try:
            failpoints.point(name + ".before", host_id)
            self._go_on(work)  # the process may have slept at this very place
            stepping.run(step, partial(self._must_end, work))
            failpoints.point(name + ".after", host_id)
        except Exception as problem:
            work.steps.append(_said(step, "failed", start, str(problem)))
            raise
        work.steps.append(_said(step, "done", start))
        work.cursor += 1

    def _tidy(self, work: Work, step: Step) -> bool:
        """Whether remains are gone, or will not go at any attempt: what was wanted is there, so the verb succeeded."""
        try:
            self._step(work, step)
        except (Stopped, Leaving):
            raise
        except Exception as problem:  # noqa: BLE001 -- whatever it is, the verb's end was reached before
            self._go_on(work)
            log.warning("remains stay", operation=work.order.operation_id, step=step.name, error=str(problem))
            return work.order.last_attempt
        return True

    @staticmethod
    def _still_ours(work: Work) -> None:
        """Raises Stopped. A process that slept past its lease does not wait for the renewer: another may hold it."""
        if work.stop.is_set() or time.monotonic() - work.leased_at > conf().lease_s:
            raise Stopped

    def _go_on(self, work: Work) -> None:
        """Raises Stopped or Leaving when no further step may begin."""
        self._still_ours(work)
        if self._leaving.is_set():
            raise Leaving

    def _must_end(self, work: Work) -> bool:
        return work.stop.is_set() or self._leaving.is_set()

    def _failed(self, work: Work, driver: Driver, done: Sequence[Step], problem: Exception) -> wire.Finished:
        """Undo in reverse what this attempt may have done, then say why. Raises Stopped: not what another does now."""
        self._still_ours(work)
        for step in reversed(done):
            start = time.perf_counter()
            try:
                stepping.undo(step)
                work.steps.append(_said(step, "undone", start))
            except Exception as trouble:  # noqa: BLE001 -- the others must still be undone; the reconciler finds what stays
                log.warning("undo failed", step=step.name, error=str(trouble))
        code = 501 if isinstance(problem, Unsupported) else 500
        power = self._power(driver, work.order)
        return self._finished(work, "failed", power=power, code=code, fault=_sentence(problem), details=repr(problem))

    @staticmethod
    def _power(driver: Driver, order: wire.OrderWire) -> int | None:
        if order.verb == "delete":
            return None
        try:
            return int(driver.state(order.subject_id).power)
        except GuestNotFound:
            return int(PowerState.NOSTATE)
        except DriverError:
            return None

    @staticmethod
    def _finished(work: Work, outcome: str, **facts: object) -> wire.Finished:
        return wire.Finished(work.order.operation_id, work.order.attempt, outcome, work.steps, **facts)  # type: ignore[arg-type]

    def _report(self, work: Work, report: wire.Finished) -> None:
        """Tell the conductor; if it cannot be reached for long, the lease runs out and the work is done again."""
        BEFORE_REPORT(work.order.host_id)
        for wait in range(REPORT_TRIES):
            try:
                self.conductor.finish(wire.Finish(self.runner, [report]))
                AFTER_REPORT(work.order.host_id)
                return
            except ConductorUnreachable as problem:
                log.warning("report not delivered", operation=report.id, error=str(problem))
                time.sleep(0.5 * 2**wait)  # its lease is renewed no more: at worst the next attempt finds the work done

    # --- leases

    def renew(self) -> None:
        """Extend every lease held; what is lost stops at its next step."""
        with self._lock:
            works = dict(self._works)
        if not works:
            return
        held = [wire.Holding(work.order.operation_id, work.order.attempt, work.cursor) for work in works.values()]
        asked_at = time.monotonic()
        lost = set(self.conductor.renew(wire.Renew(self.runner, held)).lost)
        for operation_id, work in works.items():
            if operation_id in lost:
                work.stop.set()
            else:
                work.leased_at = asked_at

    # --- the end

    def leave(self) -> None:
        """Take nothing more, and give back at the next step's boundary what is under way."""
        self._leaving.set()

    def busy(self) -> int:
        """How many operations are under way."""
        return len(self._works)


def _order(order: wire.OrderWire) -> Order:
    return Order(
        operation_id=order.operation_id,
        verb=order.verb,
        attempt=order.attempt,
        subject_id=order.subject_id,
        host_id=order.host_id,
        epoch=order.epoch,
        args=order.args,
        spec=order.spec,
        last_attempt=order.last_attempt,
    )


def _said(step: Step, state: str, start: float, message: str = "") -> wire.StepReport:
    return wire.StepReport(step.name, state, round((time.perf_counter() - start) * 1000, 3), message[:1000])


def _sentence(problem: Exception) -> str:
    """What the owner may read: our own drivers' words; of anything else only its kind."""
    if isinstance(problem, DriverError):
        return str(problem)[:250] or type(problem).__name__
    return f"The host failed with {type(problem).__name__}."
