"""Console output: what the guest wrote on its serial console."""

from __future__ import annotations

from typing import Any

from hosts.drivers.base import ConsoleLogged, Driver
from hosts.drivers.errors import Unsupported
from instances.actions.base import Order
from instances.actions.question import Question


class ConsoleOutput(Question):
    """Read the tail of the guest's serial log."""

    verb = "console-output"
    rule = "os_compute_api:os-console-output"

    def answer(self, driver: Driver, order: Order) -> dict[str, Any]:
        """What the host reports as the operation's result."""
        if not isinstance(driver, ConsoleLogged):
            raise Unsupported("this driver keeps no console log")
        return {"output": driver.console_log(order.subject_id).decode("utf-8", "replace")}
