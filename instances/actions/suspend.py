"""Suspend and resume: the guest's memory goes to the host's disk, and comes back."""

from __future__ import annotations

from collections.abc import Sequence

from hosts.drivers.base import Driver, Suspending
from hosts.drivers.errors import Unsupported
from hosts.drivers.specs import Step
from instances.actions.base import Action, Order
from instances.states import VmState


class Suspend(Action):
    """Write the guest's memory to the disk; it takes none of the host's."""

    verb = "suspend"
    rule = "os_compute_api:os-suspend-server:suspend"
    allowed_from = frozenset({VmState.ACTIVE})
    with_spec = False

    def perform(self, driver: Driver, order: Order) -> Sequence[Step]:
        return _suspending(driver).suspend(order.ref)


class Resume(Action):
    """Take the guest up where it was."""

    verb = "resume"
    rule = "os_compute_api:os-suspend-server:resume"
    allowed_from = frozenset({VmState.SUSPENDED})

    def perform(self, driver: Driver, order: Order) -> Sequence[Step]:
        return _suspending(driver).resume(order.need_spec())


def _suspending(driver: Driver) -> Suspending:
    if not isinstance(driver, Suspending):
        raise Unsupported("this driver cannot suspend a guest")
    return driver
