"""Pause and unpause: the guest's CPUs stand still, its memory stays on the host."""

from __future__ import annotations

from collections.abc import Sequence

from hosts.drivers.base import Driver, Pausable
from hosts.drivers.errors import Unsupported
from hosts.drivers.specs import Step
from instances.actions.base import Action, Order
from instances.states import VmState


class Pause(Action):
    """Stop the guest's CPUs."""

    verb = "pause"
    rule = "os_compute_api:os-pause-server:pause"
    allowed_from = frozenset({VmState.ACTIVE})
    with_spec = False

    def perform(self, driver: Driver, order: Order) -> Sequence[Step]:
        return _pausable(driver).pause(order.ref)


class Unpause(Action):
    """Let the guest's CPUs go on."""

    verb = "unpause"
    rule = "os_compute_api:os-pause-server:unpause"
    allowed_from = frozenset({VmState.PAUSED})
    with_spec = False

    def perform(self, driver: Driver, order: Order) -> Sequence[Step]:
        return _pausable(driver).unpause(order.ref)


def _pausable(driver: Driver) -> Pausable:
    if not isinstance(driver, Pausable):
        raise Unsupported("this driver cannot pause a guest")
    return driver
