"""Crash dump: a non-maskable interrupt, on which a guest's kernel writes down what it was doing, if it is set up so."""

from __future__ import annotations

from collections.abc import Sequence

from hosts.drivers.base import Driver, Interrupting
from hosts.drivers.errors import Unsupported
from hosts.drivers.specs import Step
from instances.actions.base import Action, Order
from instances.states import VmState


class CrashDump(Action):
    """What the guest does then is its own affair: no state of the server changes by it.

    An interrupt cannot be seen afterwards: a host that died of it, or right after it, sends another.
    """

    verb = "trigger_crash_dump"
    rule = "os_compute_api:servers:trigger_crash_dump"
    allowed_from = frozenset({VmState.ACTIVE, VmState.PAUSED, VmState.RESCUED, VmState.RESIZED, VmState.ERROR})
    with_spec = False
    schema_version = 6

    def perform(self, driver: Driver, order: Order) -> Sequence[Step]:
        if not isinstance(driver, Interrupting):
            raise Unsupported("Triggering crash dump is not supported")
        return driver.interrupt(order.ref)
