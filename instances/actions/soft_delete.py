"""Soft delete: off and out of sight for a while, from where the server may be restored, or is deleted in the end.

A soft-deleted server keeps its host, disks, claims and ports, and counts against nobody's quota (``soft_deleted_at``).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from django.db.models.functions import Now

from computecloud.conf import conf
from computecloud.core.actor import SYSTEM, Actor
from computecloud.core.errors import Conflict
from hosts.drivers.base import Driver, Rescuing
from hosts.drivers.specs import Step
from instances import moves, quotas
from instances.actions.base import ACCEPTING, Action, Order, Report
from instances.actions.create_image import drop_image
from instances.actions.delete import Delete
from instances.actions.ending import Ending
from instances.errors import InstanceInvalidState, InstanceNotFound
from instances.models import Instance
from instances.states import VmState
from operations import engine, sql
from operations.models import Operation, QuotaGate
from operations.models.operation import State, later

MOST_AT_ONCE = 100


def remove(actor: Actor, server: Instance, request_id: str = "") -> Operation:
    """Delete as the setting says: softly what has ever run and has a host, while there is an interval to restore it."""
    is_soft = conf().reclaim_instance_interval_s > 0 and server.launched_at is not None and _has_guest(server)
    kind: type[Ending] = SoftDelete if is_soft else Delete
    return kind.request(actor, server, request_id)


def _has_guest(server: Instance) -> bool:
    """Not one that is being made, or is only an image, or is just being made of it again."""
    return server.host_id is not None and server.settled not in (VmState.BUILDING, VmState.SHELVED_OFFLOADED)


class SoftDelete(Ending):
    """Wins over whatever leaves the guest whole; what reshapes it is finished first, or there were nothing to restore.

    A host that is down does it when it returns, and the server is deleted softly all the same.
    """

    verb = "softDelete"
    shown_as = Delete.verb
    rule = Delete.rule
    wins_not_over = frozenset({"softDelete", "delete"})
    allowed_from = frozenset({
        VmState.ACTIVE, VmState.STOPPED, VmState.PAUSED, VmState.SUSPENDED, VmState.RESCUED, VmState.RESIZED,
        VmState.SHELVED, VmState.ERROR,
    })  # fmt: skip
    schema_version = 5

    @classmethod
    def check(cls, fresh: Instance, under_way: Operation | None) -> None:
        if under_way is not None and cls.known[under_way.verb].reshapes:
            raise InstanceInvalidState(
                verb=Delete.verb, instance_id=fresh.id, attribute="task_state", state=fresh.task_state
            )
        if not _has_guest(fresh):
            raise Conflict(f"Instance {fresh.id} is changing; try again.")

    @classmethod
    def wish(cls, fresh: Instance, args: dict[str, Any]) -> dict[str, Any]:
        return {"asks": fresh.settled in (VmState.ACTIVE, VmState.RESCUED)}

    def perform(self, driver: Driver, order: Order) -> Sequence[Step]:
        return driver.power_off(order.ref, timeout_s=conf().stop_timeout_s if order.args.get("asks") else 0)

    @classmethod
    def succeed(cls, operation: Operation, instance: Instance, report: Report) -> None:
        """The quota is given back by whoever sets ``soft_deleted_at``; one that was soft-deleted before keeps its."""
        if not engine.close(operation, State.SUCCEEDED):
            return
        changes: dict[str, Any] = {"open_operation": None, "settled": VmState.SOFT_DELETED.value, "power_on": False}
        mine = {"id": instance.id, "open_operation": operation.id}
        gone = instance.cache(None, **changes, **cls.observed(report))
        if sql.change(Instance, {**mine, "soft_deleted_at": None}, {**gone, "soft_deleted_at": Now()}):
            QuotaGate.give_back(instance.project_id, instance.quota())
        else:
            sql.change(Instance, mine, gone)


class Reclaim(Delete):
    """The delete that follows a soft one by itself. It wins over nothing: a restore comes first."""

    @classmethod
    def check(cls, fresh: Instance, under_way: Operation | None) -> None:
        if under_way is not None or fresh.settled != VmState.SOFT_DELETED:
            raise Conflict(f"Instance {fresh.id} is changing; try again.")

    @classmethod
    def all_older_than(cls, interval_s: float) -> None:
        """Those that nobody restored in time."""
        old = Instance.objects.alive().filter(
            settled=VmState.SOFT_DELETED.value, open_operation=None, soft_deleted_at__lt=later(-interval_s)
        )
        for server in old.order_by("soft_deleted_at")[:MOST_AT_ONCE]:
            with suppress(Conflict, InstanceNotFound), ACCEPTING(server.host_id):
                cls.accept(SYSTEM, server, "", {})


class Restore(Action):
    """On again, from its own disk, whatever it was before; within quota, or not at all.

    Its host may still hold a rescue's disk or a shelving's image: they are not needed any more.
    """

    verb = "restore"
    rule = "os_compute_api:os-deferred-delete:restore"
    allowed_from = frozenset({VmState.SOFT_DELETED})
    turns_power = True
    reshapes = True
    schema_version = 5

    @classmethod
    def accept(cls, actor: Actor, instance: Instance, request_id: str, args: dict[str, Any]) -> Operation:
        """Raises OverQuota besides: of the server's project, and of its user in it."""
        operation = super().accept(actor, instance, request_id, args)
        amounts = {"instances": 1, "cores": instance.vcpus, "ram": instance.ram_mb}
        quotas.check_user(instance.project_id, instance.user_id, amounts, besides=instance.id)
        QuotaGate.add(instance.project_id, instance.quota())
        return operation

    @classmethod
    def intent(cls, instance: Instance, args: dict[str, Any]) -> dict[str, Any]:
        return {"soft_deleted_at": None}

    def perform(self, driver: Driver, order: Order) -> Sequence[Step]:
        if isinstance(driver, Rescuing):
            return driver.unrescue(order.need_spec(), was_on=False, timeout_s=conf().stop_timeout_s)
        return driver.power_on(order.need_spec())

    @classmethod
    def on_success(cls, operation: Operation, instance: Instance) -> dict[str, Any]:
        if instance.shelved_image_id:
            drop_image(instance.shelved_image_id)
        waits = {"settled": VmState.RESIZED.value} if moves.open_of(instance.id) else {}
        return {"shelved_image_id": "", "fault_code": None, **waits}

    @classmethod
    def fail(cls, operation: Operation, instance: Instance, report: Report) -> None:
        """Undone, it is soft-deleted as before, and its time begins anew. Without word from its host it is an error."""
        if report.power is None:
            super().fail(operation, instance, report)
        elif engine.close(operation, State.FAILED, fault_code=report.code, fault=report.fault, details=report.details):
            changes = {"open_operation": None, "power_on": False, **cls.observed(report), **cls.fault(report)}
            if cls.settle(operation, instance, soft_deleted_at=Now(), **changes):
                QuotaGate.give_back(instance.project_id, instance.quota())
