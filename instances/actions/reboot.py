"""Reboot: soft asks the guest and turns hard after a while; hard makes the definition anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from computecloud.conf import conf
from computecloud.core.actor import Actor
from hosts.drivers.base import Driver, Rebooting
from hosts.drivers.errors import Unsupported
from hosts.drivers.specs import Step
from instances.actions.base import Action, Order
from instances.errors import InstanceInvalidState
from instances.models import Instance
from instances.states import VmState
from operations.models import Operation

HARD_FROM = frozenset({VmState.ACTIVE, VmState.STOPPED, VmState.PAUSED, VmState.SUSPENDED, VmState.ERROR})


class Reboot(Action):
    """``type`` is SOFT or HARD."""

    verb = "reboot"
    rule = "os_compute_api:servers:reboot"
    allowed_from = HARD_FROM
    turns_power = True
    examples = ({"type": "SOFT"}, {"type": "HARD"})

    @classmethod
    def accept(cls, actor: Actor, instance: Instance, request_id: str, args: dict[str, Any]) -> Operation:
        if args.get("type") == "SOFT" and instance.vm_state != VmState.ACTIVE:
            raise InstanceInvalidState(
                verb="reboot", instance_id=instance.id, attribute="vm_state", state=instance.vm_state
            )
        return super().accept(actor, instance, request_id, args)

    def perform(self, driver: Driver, order: Order) -> Sequence[Step]:
        if not isinstance(driver, Rebooting):
            raise Unsupported("this driver cannot reboot a guest")
        hard = order.args.get("type") == "HARD"
        return driver.reboot(order.need_spec(), hard=hard, timeout_s=conf().stop_timeout_s)

    @classmethod
    def on_success(cls, operation: Operation, instance: Instance) -> dict[str, Any]:
        return {"fault_code": None}
