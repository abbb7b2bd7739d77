"""One cell: a server is led to where the verb begins, the fault strikes at its point, and all ends right."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.db.models import Q

from hosts.models import Host
from instances.models import Instance
from instances.states import VmState
from integrations.images import facade as images
from operations.models import Operation
from operations.models.operation import OPEN
from tests.faults.matrix import requests
from tests.faults.matrix.cells import DELETE, Cell, Variant, is_of_worker, must_succeed, situation_of
from tests.faults.matrix.rig import SETTINGS, Rig, Slot, wait_for

SETTLED_WITHIN_S = 150.0
REACHED_WITHIN_S = 90.0
LEASE_S = float(SETTINGS["lease_s"])
TRIES = 3
RUNNING = frozenset({VmState.ACTIVE, VmState.RESCUED, VmState.RESIZED})
TABLE_S = 2.0  # the scheduler's table of hosts may be that old
SILENT_S = float(SETTINGS["host_down_after_s"])


class Missed(AssertionError):
    """The cell did not come about: its host was down, or another cell's fault came first. It is tried again."""


@dataclass
class Outcome:
    """How a cell ended. ``recovery_s``: from the fault to the operation's end; ``wrong``: why it is not right."""

    cell: Cell
    recovery_s: float = 0.0
    wrong: str = ""


@dataclass
class Wave:
    """Cells whose fault strikes everybody: all wait at their points, it strikes once, all go on."""

    strike: Callable[[], None]
    waiting: set[str] = field(default_factory=set)
    go: threading.Event = field(default_factory=threading.Event)
    struck_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def join(self, cell: Cell) -> None:
        self.waiting.add(cell.name)

    def arrive(self, cell: Cell) -> None:
        """At the point, or unable to get there; the last one lets the fault strike."""
        with self._lock:
            self.waiting.discard(cell.name)
            if not self.waiting and not self.go.is_set():
                self.struck_at = time.monotonic()
                self.strike()
                self.go.set()


class Story:
    """One cell on one slot."""

    def __init__(self, rig: Rig, slot: Slot, cell: Cell, boots: Mapping[str, int], wave: Wave | None = None) -> None:
        self.rig, self.slot, self.cell, self.boots, self.wave = rig, slot, cell, boots, wave
        self.struck_at = 0.0
        self.server_id = ""

    def tell(self) -> Outcome:
        """Never raises: what is not right is told in the outcome."""
        outcome = Outcome(self.cell)
        try:
            for number in range(TRIES):
                outcome.wrong = self._try(outcome)
                if not outcome.wrong.startswith(Missed.__name__) or number + 1 == TRIES:
                    break
        finally:
            if self.wave is not None:
                self.wave.arrive(self.cell)
            connection.close()
        return outcome

    def _try(self, outcome: Outcome) -> str:
        """Why it is not right, or nothing."""
        try:
            self._play(outcome)
        except Exception as problem:  # noqa: BLE001 -- one cell must not end the others
            return f"{type(problem).__name__}: {problem}"
        finally:
            with suppress(Exception):
                self._clean()
            self.rig.disarm(f"agent.take.after/{self.slot.host_id}")
        return ""

    def _play(self, outcome: Outcome) -> None:
        variant = self.cell.variant
        wait_up(self.slot)
        server_id = self.server_id = lead(self.slot, variant)
        before = Instance.objects.get(id=server_id).vm_state if server_id else ""
        operation_id = self._strike(server_id)
        operation = settled(operation_id)
        outcome.recovery_s = max(time.monotonic() - self.struck_at, 0.0)
        self._check(operation, before)

    # --- the faults

    def _strike(self, server_id: str) -> str:
        cell, slot = self.cell, self.slot
        if cell.point.startswith("api."):
            return self._strike_api(server_id)
        if situation_of(cell.point):
            return self._strike_in_situation(server_id)
        what = {"kill9": "kill9", "raise": "raise", "frozen": "stop", "takeover": "stop"}.get(cell.fault, "hang:120")
        key = self.rig.arm(cell.point, slot.host_id, what)
        try:
            worker = slot.worker.pid
            operation_id = requests.submit(cell.variant.verb, server_id, slot.name, cell.variant.arguments)
            wait_for(f"{key} is reached", lambda: self._is_there(key, operation_id), REACHED_WITHIN_S)
            self.struck_at = time.monotonic()
            if is_of_worker(cell.point):
                self._strike_worker(worker, operation_id, key)
            return operation_id
        finally:
            self.rig.disarm(key)

    def _is_there(self, key: str, operation_id: str) -> bool:
        if self.rig.is_reached(key):
            return True
        row = Operation.objects.get(id=operation_id)
        if row.state not in OPEN:  # some points lie behind its end
            time.sleep(3.0)
            if not self.rig.is_reached(key):
                raise Missed(f"it ended before {key}: {row.state} {row.fault}")
        return False

    def _strike_worker(self, worker: int, operation_id: str, key: str) -> None:
        fault = self.cell.fault
        if fault == "kill9":
            self._expect_end(worker, -signal.SIGKILL)
        elif fault == "drain":
            os.kill(worker, signal.SIGTERM)
            time.sleep(0.3)  # it hears the signal while it is at the point
            self.rig.disarm(key)
            self._expect_end(worker, 0)
        elif fault == "frozen":
            self._outsleep_lease(operation_id)
            os.kill(worker, signal.SIGCONT)
        elif fault == "takeover":
            self._take_over(worker, operation_id)
        elif self.wave is not None:
            self.wave.arrive(self.cell)
            assert self.wave.go.wait(SETTLED_WITHIN_S), "the others of the wave did not come"
            self.struck_at = self.wave.struck_at

    def _strike_api(self, server_id: str) -> str:
        """The process that accepts the verb dies, or fails, on one side of its commit; then its client asks again."""
        cell, slot = self.cell, self.slot
        known = set(Operation.objects.values_list("id", flat=True))
        verb, arguments = cell.variant.verb, dict(cell.variant.arguments)
        pid = self.rig.centre.fork(
            kind="request", arms=f"{cell.point}={cell.fault}@1000000", log=str(self.rig.state / "log" / "requests"),
            verb=verb, server=server_id, host=slot.name, arguments=arguments,
        )  # fmt: skip
        self.struck_at = time.monotonic()
        status = self.rig.members["conductor"].wait_ended(pid)
        assert status == (-signal.SIGKILL if cell.fault == "kill9" else 1), f"the requester ended with {status}"
        fresh = Operation.objects.filter(verb=verb).exclude(id__in=known)
        made = [one for one in fresh if self._is_ours(one, server_id)]
        if cell.point.endswith("before_commit"):
            assert made == [], f"{made[0]} came of a transaction that was not committed"
            return requests.submit(verb, server_id, slot.name, arguments)
        assert len(made) == 1, f"{len(made)} operations came of one committed request"
        return made[0].id

    def _strike_in_situation(self, server_id: str) -> str:
        """Bring about what the point needs, let the process at the centre die there, and let the worker come back."""
        if situation_of(self.cell.point) in ("control.refuse", "sweeper.after_return"):
            with self.rig.for_all:
                return self._bring_about(server_id, "")
        return self._bring_about(server_id, self.slot.host_id)

    def _bring_about(self, server_id: str, scope: str) -> str:
        cell, slot, situation = self.cell, self.slot, situation_of(self.cell.point)
        key = self.rig.arm(cell.point, scope, cell.fault)
        deadly = self.rig.arm("agent.take.after", slot.host_id, "kill9@3") if situation.startswith("sweeper") else ""
        worker, is_away = slot.worker.pid, situation in ("relay", "sweeper.after_return")
        try:
            if is_away:
                slot.worker.wanted = False
            if situation == "relay":
                slot.worker.wait_ended(slot.worker.kill())
            host = "nowhere" if situation == "control.refuse" else slot.name
            operation_id = requests.submit(cell.variant.verb, server_id, host, cell.variant.arguments)
            if situation == "conductor.register":
                slot.worker.kill()
            if situation == "sweeper.after_return":
                slot.worker.wait_ended(worker)
                self.rig.arm(cell.point, scope, cell.fault)  # what others let the sweeper return is not meant
            wait_for(f"{key} is reached", lambda: self.rig.is_reached(key), REACHED_WITHIN_S)
            self.struck_at = time.monotonic()
            return operation_id
        finally:
            self.rig.disarm(key)
            if deadly and situation != "sweeper.end":
                self.rig.disarm(deadly)
            if is_away:
                slot.worker.wait_ended(worker)
                self.rig.release(slot.worker.name)

    def _is_ours(self, operation: Operation, server_id: str) -> bool:
        if server_id:
            return operation.subject_id == server_id
        return bool(operation.args.get("forced_host") == self.slot.name)

    def _expect_end(self, worker: int, status: int) -> None:
        found = self.slot.worker.wait_ended(worker)
        assert found == status, f"the worker ended with {found}, not {status}"

    @staticmethod
    def _outsleep_lease(operation_id: str) -> None:
        """Until the sweeper has given the operation to another attempt, or it was over before."""

        def is_lost() -> bool:
            state = Operation.objects.values_list("state", flat=True).get(id=operation_id)
            return state != "running"

        time.sleep(LEASE_S)
        wait_for("the lease is lost", is_lost, 30)

    def _take_over(self, worker: int, operation_id: str) -> None:
        """A second process starts while the first is frozen, and has to end it before it acts."""
        time.sleep(SILENT_S)
        with self.rig._lock:
            member = self.slot.worker
            member.pid = member.bear()
        self._expect_end(worker, -signal.SIGKILL)
        settled(operation_id)
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGCONT)  # nobody wakes up

    # --- what is right

    def _check(self, operation: Operation, before: str) -> None:
        if must_succeed(self.cell):
            if "Connection" in operation.fault:  # other cells killed the conductor three times in its uploads
                raise Missed(operation.fault)
            assert operation.state == "succeeded", f"{operation.state}: {operation.fault or operation.details}"
        elif operation.state != "succeeded":
            assert operation.fault, "it failed and does not say why"
        wait_for(f"rows and host agree: {self._disagreement(operation, before)}",
                 lambda: not self._disagreement(operation, before), 30, 0.2)  # fmt: skip

    def _disagreement(self, operation: Operation, before: str) -> str:
        """What the owner sees against what is on the host; empty when it is the same."""
        row = Instance.objects.get(id=operation.subject_id)
        guests = self.slot.guests()
        if row.open_operation:
            return "an operation is open"
        if image := image_oddity(operation):
            return image
        if row.is_error and row.fault_message and operation.state == "failed":
            return ""  # it may be deleted in any state, and says why
        if row.deleted_at or row.host_id is None:
            return f"left over: {self.slot.things()}" if self.slot.things() else self.slot.oddity(None)
        if set(guests) != {row.id} or self.slot.things() != {row.id}:
            return f"on the host: {self.slot.things()}"
        return self._wrong_state(row, guests[row.id], operation, before)

    def _wrong_state(self, row: Instance, guest: Mapping[str, Any], operation: Operation, before: str) -> str:
        is_on = guest.get("power") == 1
        if (row.vm_state in RUNNING) != is_on:
            return f"{row.vm_state}, and the guest {'runs' if is_on else 'does not run'}"
        if operation.state != "succeeded" and operation.listed and not row.fault_message:
            return "failed without a fault"
        wanted = self.boots.get(self.cell.variant.name)
        if operation.state == "succeeded" and wanted is not None and guest.get("boots", 0) != wanted:
            return f"booted {guest.get('boots')} times, not {wanted}"
        return self.slot.oddity(row)

    def _clean(self) -> None:
        """Whatever this slot holds is deleted: the next cell finds an empty host."""
        with suppress(ProcessLookupError):
            os.kill(self.slot.worker.pid, signal.SIGCONT)
        for row in Instance.objects.alive().filter(host_id=self.slot.host_id):
            requests.submit(DELETE, row.id, self.slot.name, {})
        homeless = Instance.objects.alive().filter(host=None, open_operation=None)
        for row in homeless.exclude(Q(settled=VmState.SHELVED_OFFLOADED.value) & ~Q(id=self.server_id)):
            if row.scheduler_hints == {} and not row.host_id:
                with suppress(Exception):
                    requests.submit(DELETE, row.id, self.slot.name, {})
        wait_for("the slot is empty", lambda: not self.slot.things() and not self.slot.oddity(None), 60)


def wait_up(slot: Slot) -> None:
    """Up, and so long that the scheduler's table of hosts knows it."""

    def is_up() -> bool:
        return Host.objects.with_liveness().get(id=slot.host_id).is_up

    def stays_up() -> bool:
        if not is_up():
            return False
        time.sleep(TABLE_S)
        return is_up()

    wait_for(f"{slot.name} is up", stays_up)


def settled(operation_id: str) -> Operation:
    """The operation, once it is over."""

    def is_over() -> Operation | None:
        row = Operation.objects.filter(id=operation_id).first()
        assert row is not None, "the operation's row is gone"
        return row if row.state not in OPEN else None

    found: Operation = wait_for("the operation is over", is_over, SETTLED_WITHIN_S)
    return found


def image_oddity(operation: Operation) -> str:
    """What is wrong about the image that the operation was to make, or nothing.

    It is whole when the operation succeeded. When that failed, it is gone; or whole, when only what follows the upload
    failed: what is active once is its owner's to delete.
    """
    image_id = operation.args.get("image_id")
    if image_id is None:
        return ""
    image = images.get_many([image_id]).get(image_id)
    is_whole = image is not None and image.is_active and bool(image.size)
    return "" if is_whole or (image is None and operation.state != "succeeded") else f"its image is {image}"


def lead(slot: Slot, variant: Variant) -> str:
    """Make a server and lead it to where the verb begins; its id, or nothing for a verb that makes one."""
    server_id = ""
    for verb in variant.way:
        operation = settled(requests.submit(verb, server_id, slot.name, {}))
        if operation.state != "succeeded":
            raise Missed(f"{verb} on the way: {operation.fault}")
        server_id = operation.subject_id
    return server_id


def walk(rig: Rig, slot: Slot, variant: Variant) -> tuple[list[str], int]:
    """Let the verb happen undisturbed: the points it passes, and how often its guest has booted then."""
    wait_up(slot)
    server_id = lead(slot, variant)
    key = rig.arm("*", slot.host_id, "note")
    operation = settled(requests.submit(variant.verb, server_id, slot.name, variant.arguments))
    assert operation.state == "succeeded", f"{variant.name} undisturbed: {operation.fault} {operation.details}"
    time.sleep(0.5)  # the last points lie behind the operation's end
    rig.disarm(key)
    boots = slot.guests().get(operation.subject_id, {}).get("boots", 0)
    if variant.verb not in (DELETE,):
        settled(requests.submit(DELETE, operation.subject_id, slot.name, {}))
    points = [point for point in rig.passed(slot.host_id) if not situation_of(point)]
    return list(dict.fromkeys([*points, "api.before_commit", "api.after_commit"])), boots


