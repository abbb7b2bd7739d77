"""Delete always wins: it supersedes what is open, and leaves no domain, disk, tap, port, allocation or quota behind."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models.functions import Now

from hosts.drivers.base import Driver
from hosts.drivers.specs import Step
from hosts.models.host import presence
from instances import moves
from instances.actions.base import Order, Report
from instances.actions.create_image import drop_image
from instances.actions.ending import Ending
from instances.models import Instance, Move
from instances.states import VmState
from integrations.networks import facade as networks
from operations import engine, sql
from operations.models import Operation, QuotaGate
from operations.models.operation import State
from scheduling import dispatch
from scheduling.claims import Chosen


class Delete(Ending):
    """End a server in any state. A server without a host ends in the same transaction."""

    verb = "delete"
    rule = "os_compute_api:servers:delete"
    wins_not_over = frozenset({"delete"})

    @classmethod
    def unheard(cls, operation: Operation, instance: Instance, *, has_host: bool) -> None:
        """Its owner sees it gone and has the quota back; its host cleans up when it returns."""
        if has_host:
            cls.bury(instance)
        else:
            cls.succeed(operation, instance, Report("done"))

    def perform(self, driver: Driver, order: Order) -> Sequence[Step]:
        return driver.destroy(order.ref)

    @classmethod
    def succeed(cls, operation: Operation, instance: Instance, report: Report) -> None:
        move = moves.open_of(instance.id)
        if (move and cls._goes_on(operation, instance, move)) or not engine.close(operation, State.SUCCEEDED):
            return
        if move:
            moves.give_up(instance, move)
        cls.bury(instance)
        cls.let_go(instance)

    @classmethod
    def _goes_on(cls, operation: Operation, instance: Instance, move: Move) -> bool:
        """A server that moved: its old host removes what it kept, too."""
        source = presence(move.source_id) if operation.host_id not in (None, move.source_id) else None
        if source is None:
            return False
        if not source.is_up:
            cls.bury(instance)  # as when its own host is down
        return dispatch.to_host(operation, Chosen(source.id, source.name, ""), operation.epoch)

    @classmethod
    def fail(cls, operation: Operation, instance: Instance, report: Report) -> None:
        """The host could not: the server shows ERROR and may be deleted again; its claims stay, as its guest may."""
        if engine.close(operation, State.FAILED, fault_code=report.code, fault=report.fault, details=report.details):
            cls.settle(operation, instance, open_operation=None, settled=VmState.ERROR.value, **cls.fault(report))

    @staticmethod
    def bury(instance: Instance) -> bool:
        """Mark it deleted, give back quota and ports: once, whoever comes first. Soft-deleted, it has no quota."""
        ended = instance.cache(None, settled=VmState.DELETED.value, open_operation=None)
        gone = {**ended, "deleted_at": Now(), "terminated_at": Now()}
        counted = sql.change(Instance, {"id": instance.id, "deleted_at": None, "soft_deleted_at": None}, gone)
        if not counted and not sql.change(Instance, {"id": instance.id, "deleted_at": None}, gone):
            return False
        if instance.network_wishes or instance.network_info:
            networks.release(instance.id)
        if instance.shelved_image_id:
            drop_image(instance.shelved_image_id)
        moves.give_quota_back(instance.id)
        if counted:
            QuotaGate.give_back(instance.project_id, instance.quota())
        return True
