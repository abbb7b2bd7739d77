"""Questions to a server's host, answered within seconds; no state of the server changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from computecloud.core.actor import Actor
from computecloud.core.errors import Conflict
from computecloud.http import policy
from hosts.drivers.base import Driver
from hosts.drivers.specs import Step
from instances.actions.base import ACCEPTING, Action, Order, Report
from instances.models import Instance
from operations import engine, waiting
from operations.models import Operation
from operations.models.operation import State, host_queue

PATIENCE_S = 15.0


class Question(Action):
    """Neither exclusive nor listed: it is asked whatever goes on, and leaves nothing behind."""

    with_spec = False
    listed = False
    deadline_s = PATIENCE_S

    @classmethod
    def accept(cls, actor: Actor, instance: Instance, request_id: str, args: dict[str, Any]) -> Operation:
        if instance.host is None:
            raise Conflict(f"Instance {instance.id} is not ready")
        return cls.open(
            actor,
            instance,
            request_id,
            queue=host_queue(instance.host.id),
            host_id=instance.host.id,
            host_name=instance.host.name,
            epoch=instance.owner_epoch,
            exclusive=False,
            args=args,
        )

    @classmethod
    def ask(cls, actor: Actor, instance: Instance, request_id: str = "") -> dict[str, Any]:
        """What the host answers. Raises Conflict or Unsupported with its reason, Unavailable when it is silent."""
        policy.authorize(actor, cls.rule, instance.project_id)
        with ACCEPTING(instance.host_id):
            operation = cls.accept(actor, instance, request_id, {})
        said = waiting.outcome(operation.id, patience_s=PATIENCE_S)
        Operation.objects.filter(id=operation.id).delete()
        said.require(Conflict(said.fault or "The host could not answer."))
        return said.result

    def perform(self, driver: Driver, order: Order) -> Sequence[Step]:
        return ()

    @classmethod
    def succeed(cls, operation: Operation, instance: Instance, report: Report) -> None:
        engine.close(operation, State.SUCCEEDED, result=report.result)

    @classmethod
    def fail(cls, operation: Operation, instance: Instance, report: Report) -> None:
        engine.close(operation, State.FAILED, fault_code=report.code, fault=report.fault)
