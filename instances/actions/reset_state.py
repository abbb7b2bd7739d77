"""Reset state: whatever is under way stops, and the hypervisor is asked what is true."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from computecloud.core.actor import Actor
from computecloud.core.errors import Unavailable
from hosts.drivers.base import Driver
from hosts.drivers.errors import GuestNotFound
from hosts.drivers.specs import PowerState, Step
from instances.actions.base import Order, Report
from instances.actions.ending import Ending
from instances.actions.shelve import ShelveOffload
from instances.models import Instance
from instances.states import VmState, fitting
from operations import engine, waiting
from operations.models import Operation
from operations.models.operation import State

PATIENCE_S = 5.0
NOTHING_THERE = "Its host has no guest of it. Delete the server."
NO_HOST = "It has no host. Delete the server."


class ResetState(Ending):
    """``state`` is ``error``, which it is then, or ``active``: then it is what its host sees of it.

    A host that is down or silent cannot be asked: the server is what was asked for until the host reports.
    """

    verb = "resetState"
    rule = "os_compute_api:os-admin-actions:reset_state"
    examples = ({"state": "active"},)
    deadline_s = 30.0
    schema_version = 9

    @classmethod
    def reset(cls, actor: Actor, server: Instance, state: str, request_id: str = "") -> None:
        """A host answers at once: whoever looks afterwards finds what is true, and may go on."""
        operation = cls.request(actor, server, request_id, state=state)
        if operation.is_open:
            with suppress(Unavailable):
                waiting.outcome(operation.id, patience_s=PATIENCE_S)

    @classmethod
    def needs_word(cls, args: dict[str, Any]) -> bool:
        return bool(args["state"] != VmState.ERROR)

    @classmethod
    def wish(cls, fresh: Instance, args: dict[str, Any]) -> dict[str, Any]:
        return {"state": args["state"], "before": fresh.settled}

    @classmethod
    def unheard(cls, operation: Operation, instance: Instance, *, has_host: bool) -> None:
        if engine.close(operation, State.SUCCEEDED):
            changes: dict[str, Any] = {"settled": operation.args["state"]}
            if instance.host_id is None and operation.args["state"] != VmState.ERROR:
                changes |= cls.homeless(instance)
            cls.settle(operation, instance, open_operation=None, **changes)

    @classmethod
    def fail(cls, operation: Operation, instance: Instance, report: Report) -> None:
        """It did not say in time."""
        if engine.close(operation, State.FAILED, fault_code=report.code, fault=report.fault, details=report.details):
            cls.settle(operation, instance, open_operation=None, settled=operation.args["state"])

    @classmethod
    def homeless(cls, instance: Instance) -> dict[str, Any]:
        """Nothing of it is anywhere but its image, if it was shelved."""
        if instance.shelved_image_id:
            return {"settled": VmState.SHELVED_OFFLOADED.value, "fault_code": None}
        return {"settled": VmState.ERROR.value, **cls.fault(Report("failed", fault=NO_HOST))}

    def perform(self, driver: Driver, order: Order) -> Sequence[Step]:
        return ()

    def answer(self, driver: Driver, order: Order) -> dict[str, Any]:
        try:
            return {"power": int(driver.state(order.subject_id).power), "is_there": True}
        except GuestNotFound:
            return {"power": int(PowerState.NOSTATE), "is_there": False}

    @classmethod
    def succeed(cls, operation: Operation, instance: Instance, report: Report) -> None:
        seen = report.result or {}
        if engine.close(operation, State.SUCCEEDED, result=seen):
            power = {"observed_power": int(seen.get("power", PowerState.NOSTATE))}
            found = cls.truth(instance, VmState(operation.args["before"]), seen)
            cls.settle(operation, instance, **({"open_operation": None} | power | found))

    @classmethod
    def truth(cls, instance: Instance, before: VmState, seen: dict[str, Any]) -> dict[str, Any]:
        """The state that the guest's power speaks for; the one before, where that is not contradicted by it.

        One that was shelved, and was about to give its host up or had, is only its image.
        """
        if not seen.get("is_there") and instance.shelved_image_id:
            return {**ShelveOffload.given_up(instance), "fault_code": None}
        if not seen.get("is_there"):
            return {"settled": VmState.ERROR.value, **cls.fault(Report("failed", fault=NOTHING_THERE))}
        power = PowerState(seen["power"])
        state = fitting(before, power) if before != VmState.ERROR else fitting(VmState.BUILDING, power)
        is_on = power in (PowerState.RUNNING, PowerState.PAUSED)
        return {"settled": state.value, "power_on": is_on, "fault_code": None}
