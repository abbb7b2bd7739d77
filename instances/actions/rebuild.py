"""Rebuild: a server gets fresh disks from an image, where it is, with its addresses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models.functions import Now

from computecloud.conf import conf
from computecloud.core.actor import Actor
from hosts.drivers.base import Driver, Rebuilding
from hosts.drivers.errors import Unsupported
from hosts.drivers.specs import PowerState, Step
from instances.actions.base import Action, Order
from instances.models import Instance
from instances.states import VmState
from operations.models import Operation


class Rebuild(Action):
    """``columns``: what the server is from now on. What it was is kept in the operation, for when that fails.

    A server that was stopped is stopped again: its new disks have not been booted from.
    """

    verb = "rebuild"
    rule = "os_compute_api:servers:rebuild"
    allowed_from = frozenset({VmState.ACTIVE, VmState.STOPPED, VmState.ERROR})
    reshapes = True
    schema_version = 3

    @classmethod
    def accept(cls, actor: Actor, instance: Instance, request_id: str, args: dict[str, Any]) -> Operation:
        was_on = instance.settled == VmState.ACTIVE or instance.observed_power == PowerState.RUNNING
        return super().accept(
            actor, instance, request_id, {**args, "was_on": was_on, "starts": instance.settled != VmState.STOPPED}
        )

    @classmethod
    def intent(cls, instance: Instance, args: dict[str, Any]) -> dict[str, Any]:
        columns: dict[str, Any] = {"power_on": args["starts"], **args.pop("columns", {})}
        args["before"] = {name: getattr(instance, name) for name in columns}
        return columns

    def perform(self, driver: Driver, order: Order) -> Sequence[Step]:
        if not isinstance(driver, Rebuilding):
            raise Unsupported("this driver cannot rebuild a guest")
        return driver.rebuild(
            order.need_spec(),
            was_on=bool(order.args.get("was_on")),
            starts=bool(order.args.get("starts")),
            keeps_ephemeral=bool(order.args.get("preserve_ephemeral")),
            timeout_s=conf().stop_timeout_s,
        )

    @classmethod
    def on_success(cls, operation: Operation, instance: Instance) -> dict[str, Any]:
        ends = VmState.ACTIVE if operation.args["starts"] else VmState.STOPPED
        return {"settled": ends.value, "launched_at": Now(), "fault_code": None}

    @classmethod
    def on_failure(cls, operation: Operation, instance: Instance) -> dict[str, Any]:
        return dict(operation.args["before"])
