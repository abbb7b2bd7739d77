"""The two ends of a resize: confirmed, the old host's remains go; reverted, the server goes back to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from computecloud.core.actor import SYSTEM, Actor
from computecloud.core.errors import Conflict, Invalid
from hosts.drivers.base import Driver, Moving
from hosts.drivers.errors import Unsupported
from hosts.drivers.specs import PowerState, Step, Trip
from instances import moves
from instances.actions.base import Action, Order, Report
from instances.actions.journey import BACK, CLEAR, Journey
from instances.models import Instance, Move
from instances.states import VmState
from integrations.networks import facade as networks
from operations import engine
from operations.models import Operation
from operations.models.operation import State, host_queue, later


class NotResized(Invalid):
    message = "Instance has not been resized."


def waiting_move(instance: Instance) -> Move:
    """The move that waits for an answer. Raises NotResized."""
    move = moves.open_of(instance.id)
    if move is None:
        raise NotResized
    return move


class ConfirmResize(Action):
    """The old host removes what it kept. Once begun it is only ever finished."""

    verb = "confirmResize"
    rule = "os_compute_api:servers:confirm_resize"
    allowed_from = frozenset({VmState.RESIZED})
    with_spec = False
    reshapes = True
    schema_version = 10

    @classmethod
    def accept(cls, actor: Actor, instance: Instance, request_id: str, args: dict[str, Any]) -> Operation:
        if VmState(instance.vm_state) not in cls.allowed_from:
            raise cls.refusal(actor, instance.id)
        move = waiting_move(instance)
        moves.note(move, "confirming")
        return super().accept(actor, instance, request_id, {**args, "move": move.uuid})

    @classmethod
    def place(cls, instance: Instance) -> tuple[str | None, str]:
        move = waiting_move(instance)
        return move.source_id, move.source_name

    @classmethod
    def queue(cls, instance: Instance) -> str:
        return host_queue(waiting_move(instance).source_id)

    @classmethod
    def follow_all(cls, idle_s: float) -> None:
        """By itself, of servers that have waited so long for an answer."""
        waiting = Move.objects.filter(is_open=True, status="finished", updated_at__lt=later(-idle_s))
        for move in waiting.select_related("instance__host")[:100]:
            try:
                cls.request(SYSTEM, move.instance, "")
            except (Conflict, Invalid):
                continue  # somebody answers at this moment

    def perform(self, driver: Driver, order: Order) -> Sequence[Step]:
        if not isinstance(driver, Moving):
            raise Unsupported("this driver cannot move a guest")
        return driver.forget(order.ref, Trip(str(order.args.get("move", ""))))

    @classmethod
    def succeed(cls, operation: Operation, instance: Instance, report: Report) -> None:
        """What the old host sees of the guest says nothing of it."""
        if not engine.close(operation, State.SUCCEEDED):
            return
        if move := moves.open_of(instance.id):
            moves.settle_there(instance, move)
        is_on = instance.observed_power in (PowerState.RUNNING, PowerState.PAUSED)
        settled = VmState.ACTIVE if is_on else VmState.STOPPED
        cls.settle(
            operation, instance, open_operation=None, settled=settled.value, power_on=is_on, fault_code=None
        )

    @classmethod
    def fail(cls, operation: Operation, instance: Instance, report: Report) -> None:
        """It stays resized, and may be asked again."""
        if not cls.close_failed(operation, report):
            return
        if move := moves.open_of(instance.id):
            moves.note(move, "finished")
        cls.settle(operation, instance, open_operation=None, **cls.fault(report))


class RevertResize(Journey):
    """The new host ends its guest, the old one starts it from the disks that it kept: what came since is lost."""

    verb = "revertResize"
    rule = "os_compute_api:servers:revert_resize"
    allowed_from = frozenset({VmState.RESIZED})
    phases = (CLEAR, BACK)

    @classmethod
    def accept(cls, actor: Actor, instance: Instance, request_id: str, args: dict[str, Any]) -> Operation:
        if VmState(instance.vm_state) not in cls.allowed_from:
            raise cls.refusal(actor, instance.id)
        move = waiting_move(instance)
        moves.note(move, "reverting")
        wish = {"move": move.uuid, "phase": CLEAR, "starts": move.was == VmState.ACTIVE}
        return super().accept(actor, instance, request_id, {**args, **wish})

    @classmethod
    def be_back(cls, operation: Operation, instance: Instance, move: Move, report: Report) -> None:
        if not engine.close(operation, State.SUCCEEDED):
            return
        moves.settle_back(instance, move, "reverted")
        if instance.network_info:
            networks.plugged(instance.id)
        cls.settle(
            operation, instance, open_operation=None, settled=move.was, power_on=move.was == VmState.ACTIVE,
            fault_code=None, **cls.observed(report),
        )  # fmt: skip

    @classmethod
    def fail(cls, operation: Operation, instance: Instance, report: Report) -> None:
        """Before the new host has begun it stays resized, and may be asked again."""
        if operation.args.get("phase") != CLEAR or cls.is_begun(operation):
            super().fail(operation, instance, report)
        elif cls.close_failed(operation, report):
            if move := moves.open_of(instance.id):
                moves.note(move, "finished")
            cls.settle(operation, instance, open_operation=None, **cls.fault(report))
