"""Diagnostics: the counters that a running guest's hypervisor keeps of it."""

from __future__ import annotations

from typing import Any

import msgspec

from hosts.drivers.base import Diagnosing, Driver
from hosts.drivers.errors import Fatal, Unsupported
from hosts.drivers.specs import PowerState
from instances.actions.base import Order
from instances.actions.question import Question


class Diagnostics(Question):
    """Of a guest that runs; one that does not has none, in Nova's words."""

    verb = "diagnostics"
    rule = "os_compute_api:os-server-diagnostics"
    schema_version = 6

    def answer(self, driver: Driver, order: Order) -> dict[str, Any]:
        if not isinstance(driver, Diagnosing):
            raise Unsupported("this driver keeps no counters of a guest")
        power = driver.state(order.subject_id).power
        if power != PowerState.RUNNING:
            raise Fatal(
                f"Cannot 'get_diagnostics' instance {order.subject_id} "
                f"while it is in power state {power.name.lower()}"
            )
        told: dict[str, Any] = msgspec.to_builtins(driver.diagnostics(order.subject_id))
        return told
