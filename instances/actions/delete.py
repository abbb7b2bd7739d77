"""Delete always wins: it supersedes what is open, and leaves no domain, disk, tap, port, allocation or quota behind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models.functions import Now

from computecloud.core.actor import Actor
from computecloud.core.errors import Conflict
from computecloud.core.ids import new_uuid
from hosts.drivers.base import Driver
from hosts.drivers.specs import Step
from hosts.models.host import presence
from instances.actions.base import Action, Order, Report
from instances.actions.create_image import drop_image
from instances.errors import InstanceIsLocked, InstanceNotFound
from instances.models import Instance
from instances.states import VmState
from integrations.networks import facade as networks
from operations import engine, sql
from operations.models import Operation, QuotaGate
from operations.models.operation import CONTROL, State, host_queue

TRIES = 3


class Delete(Action):
    """End a server in any state. A server without a host ends in the same transaction."""

    verb = "delete"
    rule = "os_compute_api:servers:delete"
    with_spec = False

    @classmethod
    def accept(cls, actor: Actor, instance: Instance, request_id: str, args: dict[str, Any]) -> Operation:
        for number in range(TRIES):
            # What was just read will do, as the guarded update decides; placement may have moved it meanwhile.
            fresh = sql.find(Instance, instance.id) if number else instance
            if fresh is None or fresh.deleted_at is not None:
                raise InstanceNotFound(instance_id=instance.id)
            if fresh.is_locked and not actor.is_admin:
                raise InstanceIsLocked(instance_id=instance.id)
            under_way = cls._open_one(fresh)
            if under_way is not None and under_way.verb == cls.verb:
                return under_way  # asked twice, it is the first one
            operation_id = new_uuid()
            if cls._mark(fresh, operation_id):
                if under_way is not None:
                    cls._stop(under_way)
                return cls._begin(actor, fresh, request_id, operation_id)
        raise Conflict(f"Instance {instance.id} is changing; try again.")

    @classmethod
    def _open_one(cls, fresh: Instance) -> Operation | None:
        found = sql.find(Operation, fresh.open_operation) if fresh.open_operation else None
        return found if found is not None and found.is_open else None

    @classmethod
    def _stop(cls, under_way: Operation) -> None:
        """What is open stops at its next step."""
        engine.supersede("server", under_way.subject_id)
        cls.known[under_way.verb].superseded(under_way)

    @classmethod
    def _mark(cls, fresh: Instance, operation_id: str) -> bool:
        """The guarded UPDATE: nothing that was read has changed. Only then is what was open told to stop.

        It acts under an owner epoch of its own: an order of what it stops that is still on its way comes too late.
        """
        unchanged = {
            "id": fresh.id,
            "deleted_at": None,
            "open_operation": fresh.open_operation,
            "host_id": fresh.host_id,
            "owner_epoch": fresh.owner_epoch,
            "locked_by": fresh.locked_by,
        }
        operation = Operation(id=operation_id, verb=cls.verb)
        marked = fresh.cache_for(operation, open_operation=operation_id, owner_epoch=fresh.owner_epoch + 1)
        return bool(sql.change(Instance, unchanged, marked))

    @classmethod
    def _begin(cls, actor: Actor, fresh: Instance, request_id: str, operation_id: str) -> Operation:
        host = presence(fresh.host_id) if fresh.host_id else None
        accepted = engine.accept(
            actor=actor,
            request_id=request_id,
            subject_kind="server",
            subject_id=fresh.id,
            project_id=fresh.project_id,
            verb=cls.verb,
            queue=host_queue(host.id) if host else CONTROL,
            id=operation_id,
            host_id=host.id if host else None,
            host_name=host.name if host else "",
            epoch=fresh.owner_epoch + 1,
            ring=host is not None,
        )
        if host is None:
            cls.succeed(accepted, fresh, Report("done"))
        elif not host.is_up:
            cls.bury(fresh)  # the owner sees it gone and has the quota back; its host cleans up when it returns
        return accepted

    def perform(self, driver: Driver, order: Order) -> Sequence[Step]:
        return driver.destroy(order.ref)

    @classmethod
    def succeed(cls, operation: Operation, instance: Instance, report: Report) -> None:
        if not engine.close(operation, State.SUCCEEDED):
            return
        cls.bury(instance)
        cls.let_go(instance)

    @classmethod
    def fail(cls, operation: Operation, instance: Instance, report: Report) -> None:
        """The host could not: the server shows ERROR and may be deleted again; its claims stay, as its guest may."""
        if engine.close(operation, State.FAILED, fault_code=report.code, fault=report.fault, details=report.details):
            cls.settle(operation, instance, open_operation=None, settled=VmState.ERROR.value, **cls.fault(report))

    @staticmethod
    def bury(instance: Instance) -> bool:
        """Mark it deleted, give back quota and ports: once, whoever comes first."""
        ended = instance.cache(None, settled=VmState.DELETED.value, open_operation=None)
        when = {"deleted_at": Now(), "terminated_at": Now()}
        if not sql.change(Instance, {"id": instance.id, "deleted_at": None}, {**ended, **when}):
            return False
        if instance.network_wishes or instance.network_info:
            networks.release(instance.id)
        if instance.shelved_image_id:
            drop_image(instance.shelved_image_id)
        QuotaGate.give_back(instance.project_id, instance.quota())
        return True
