"""Start and stop: the two verbs that turn a server's intent between on and off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from computecloud.conf import conf
from hosts.drivers.base import Driver
from hosts.drivers.specs import Step
from instances.actions.base import Action, Order
from instances.models import Instance
from instances.states import VmState
from operations.models import Operation


class Start(Action):
    """Power the guest on, from a definition made anew from the rows."""

    verb = "start"
    rule = "os_compute_api:servers:start"
    allowed_from = frozenset({VmState.STOPPED})
    turns_power = True

    def perform(self, driver: Driver, order: Order) -> Sequence[Step]:
        return driver.power_on(order.need_spec())


class Stop(Action):
    """Ask the guest to power off, then cut its power."""

    verb = "stop"
    rule = "os_compute_api:servers:stop"
    allowed_from = frozenset({VmState.ACTIVE, VmState.ERROR})
    turns_power = False
    with_spec = False

    def perform(self, driver: Driver, order: Order) -> Sequence[Step]:
        return driver.power_off(order.ref, timeout_s=int(order.args.get("timeout_s", conf().stop_timeout_s)))

    @classmethod
    def on_success(cls, operation: Operation, instance: Instance) -> dict[str, Any]:
        return {"fault_code": None} if instance.is_error else {}
