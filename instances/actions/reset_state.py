"""Reset state: whatever is under way stops, and the hypervisor is asked what is true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hosts.drivers.base import Driver
from hosts.drivers.errors import GuestNotFound
from hosts.drivers.specs import PowerState, Step
from instances.actions.base import Order, Report
from instances.actions.ending import Ending
from instances.actions.shelve import ShelveOffload
from instances.models import Instance
from instances.states import VmState, fitting
from operations import engine
from operations.models import Operation
from operations.models.operation import State

NOTHING_THERE = "Its host has no guest of it. Delete the server."
NO_HOST = "It has no host. Delete the server."


class ResetState(Ending):
    """``state`` is ``error``, which it is then, or ``active``: then it is what its host sees of it.

    A host that is down cannot be asked: the server is what was asked for until the host returns and reports.
    """

    verb = "resetState"
    rule = "os_compute_api:os-admin-actions:reset_state"
    examples = ({"state": "active"},)
    schema_version = 9

    @classmethod
    def wish(cls, fresh: Instance, args: dict[str, Any]) -> dict[str, Any]:
        return {"state": args["state"], "before": fresh.settled}

    @classmethod
    def intent(cls, instance: Instance, args: dict[str, Any]) -> dict[str, Any]:
        return {"settled": VmState.ERROR.value} if args["state"] == VmState.ERROR else {}

    @classmethod
    def unheard(cls, operation: Operation, instance: Instance, *, has_host: bool) -> None:
        if not engine.close(operation, State.SUCCEEDED):
            return
        changes: dict[str, Any] = {"open_operation": None, "settled": operation.args["state"]}
        if not has_host and operation.args["state"] != VmState.ERROR:
            changes |= cls.homeless(instance)
        cls.settle(operation, instance, **changes)

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
            found = {"observed_power": int(seen.get("power", PowerState.NOSTATE)), "settled": VmState.ERROR.value}
            if operation.args["state"] != VmState.ERROR:
                found |= cls.truth(instance, VmState(operation.args["before"]), seen)
            cls.settle(operation, instance, open_operation=None, **found)

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
