"""Delete always wins: it supersedes what is open, and leaves no domain, disk, tap, port, allocation or quota behind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models.functions import Coalesce, Now

from computecloud.core.actor import Actor
from computecloud.core.ids import new_uuid
from hosts.drivers.base import Driver
from hosts.drivers.specs import Step
from hosts.models import Host
from instances.actions.base import Action, Order, Report
from instances.errors import InstanceIsLocked, InstanceNotFound
from instances.models import Instance
from instances.states import VmState
from integrations.networks import facade as networks
from operations import engine
from operations.models import Operation, QuotaGate
from operations.models.operation import CONTROL, State, host_queue
from scheduling import claims


class Delete(Action):
    """End a server in any state. A server without a host ends in the same transaction."""

    verb = "delete"
    rule = "os_compute_api:servers:delete"
    with_spec = False

    @classmethod
    def accept(cls, actor: Actor, instance: Instance, request_id: str, args: dict[str, Any]) -> Operation:
        under_way = Operation.objects.open().on("server", instance.id).filter(verb=cls.verb).first()
        if under_way is not None:
            return under_way  # asked twice: the first one is enough
        engine.supersede("server", instance.id)
        operation_id = new_uuid()
        operation = Operation(id=operation_id, verb=cls.verb)
        rows = Instance.objects.alive().filter(id=instance.id)
        if not actor.is_admin:
            rows = rows.filter(locked_by="")
        if not rows.update(**instance.cache_for(operation, open_operation=operation_id)):
            raise cls.refusal(actor, instance.id)
        fresh = Instance.objects.select_related("host").get(id=instance.id)  # placement may have moved it meanwhile
        accepted = cls._write(actor, fresh, request_id, operation_id)
        if fresh.host is None:
            cls.succeed(accepted, fresh, Report("done"))
        elif not Host.objects.with_liveness().get(id=fresh.host_id).is_up:
            cls.bury(fresh)  # the owner sees it gone and has the quota back; its host cleans up when it returns
        return accepted

    @classmethod
    def _write(cls, actor: Actor, instance: Instance, request_id: str, operation_id: str) -> Operation:
        host = instance.host
        return engine.accept(
            actor=actor,
            request_id=request_id,
            subject_kind="server",
            subject_id=instance.id,
            project_id=instance.project_id,
            verb=cls.verb,
            queue=host_queue(host.id) if host else CONTROL,
            id=operation_id,
            host_id=host.id if host else None,
            host_name=host.name if host else "",
            epoch=instance.owner_epoch,
            ring=host is not None,
        )

    @classmethod
    def refusal(cls, actor: Actor, instance_id: str) -> Exception:
        if Instance.objects.alive().filter(id=instance_id).exists():
            return InstanceIsLocked(instance_id=instance_id)
        return InstanceNotFound(instance_id=instance_id)

    def perform(self, driver: Driver, order: Order) -> Sequence[Step]:
        return driver.destroy(order.ref)

    @classmethod
    def succeed(cls, operation: Operation, instance: Instance, report: Report) -> None:
        if not engine.close(operation, State.SUCCEEDED):
            return
        cls.bury(instance)
        claims.release(instance.id)

    @classmethod
    def fail(cls, operation: Operation, instance: Instance, report: Report) -> None:
        """The host could not: the server shows ERROR and may be deleted again; its claims stay, as its guest may."""
        if engine.close(operation, State.FAILED, fault_code=report.code, fault=report.fault, details=report.details):
            cls.settle(operation, instance, open_operation=None, settled=VmState.ERROR.value, **cls.fault(report))

    @staticmethod
    def bury(instance: Instance) -> bool:
        """Mark it deleted, give back quota and ports: once, whoever comes first."""
        buried = (
            Instance.objects.alive()
            .filter(id=instance.id)
            .update(
                **instance.cache(None, settled=VmState.DELETED.value, open_operation=None),
                deleted_at=Now(),
                terminated_at=Coalesce("terminated_at", Now()),
            )
        )
        if not buried:
            return False
        if instance.network_wishes or instance.network_info:
            networks.release(instance.id)
        QuotaGate.give_back(instance.project_id, instance.quota())
        return True
