"""Console output: a question to the host, answered within seconds; no state of the server changes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from computecloud.core.actor import Actor
from computecloud.core.errors import Conflict, Unavailable
from computecloud.http import policy
from hosts.drivers.base import ConsoleLogged, Driver
from hosts.drivers.errors import Unsupported
from hosts.drivers.specs import Step
from instances.actions.base import ACCEPTING, Action, Order, Report
from instances.models import Instance
from operations import engine
from operations.models import Operation
from operations.models.operation import OPEN, State, host_queue

PATIENCE_S = 15.0


class ConsoleOutput(Action):
    """Read the tail of the guest's serial log. The operation is neither exclusive nor listed."""

    verb = "console-output"
    rule = "os_compute_api:os-console-output"
    with_spec = False
    listed = False

    @classmethod
    def accept(cls, actor: Actor, instance: Instance, request_id: str, args: dict[str, Any]) -> Operation:
        if instance.host is None:
            raise Conflict(f"Instance {instance.id} is not ready")
        return engine.accept(
            actor=actor,
            request_id=request_id,
            subject_kind="server",
            subject_id=instance.id,
            project_id=instance.project_id,
            verb=cls.verb,
            queue=host_queue(instance.host.id),
            deadline_s=PATIENCE_S,
            host_id=instance.host.id,
            host_name=instance.host.name,
            epoch=instance.owner_epoch,
            exclusive=False,
            listed=False,
            args=args,
        )

    @classmethod
    def ask(cls, actor: Actor, instance: Instance, request_id: str = "") -> str:
        """The log's text, waiting for the host. Raises Unavailable when it does not answer in time."""
        policy.authorize(actor, cls.rule, instance.project_id)
        with ACCEPTING(instance.host_id):
            operation = cls.accept(actor, instance, request_id, {})
        pause, until = 0.01, time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            state, result, fault = Operation.objects.values_list("state", "result", "fault").get(id=operation.id)
            if state not in OPEN:
                Operation.objects.filter(id=operation.id).delete()
                if state != State.SUCCEEDED:
                    raise Conflict(fault or "The host could not read the console.")
                return str((result or {}).get("output", ""))
            time.sleep(pause)  # a host answers in milliseconds; the API thread waits as Nova's does on its RPC
            pause = min(pause * 1.5, 0.25)
        raise Unavailable("The compute host did not answer in time.")

    def perform(self, driver: Driver, order: Order) -> Sequence[Step]:
        return ()

    def answer(self, driver: Driver, order: Order) -> dict[str, Any]:
        """What the host reports as the operation's result."""
        if not isinstance(driver, ConsoleLogged):
            raise Unsupported("this driver keeps no console log")
        return {"output": driver.console_log(order.subject_id).decode("utf-8", "replace")}

    @classmethod
    def succeed(cls, operation: Operation, instance: Instance, report: Report) -> None:
        engine.close(operation, State.SUCCEEDED, result=report.result)

    @classmethod
    def fail(cls, operation: Operation, instance: Instance, report: Report) -> None:
        engine.close(operation, State.FAILED, fault_code=report.code, fault=report.fault)
