"""After a restore the rows are older than the guests: rows follow what hosts report, and nothing follows the rows.

A server belongs where its guest was last given to (the highest owner epoch), and is on or off as its guest is. What was
being done to it when the backup was made is over. A server whose guest is on no host that reported stays as it was.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models.functions import Now

from hosts.drivers.specs import PowerState
from instances import moves
from instances.models import Instance
from instances.states import VmState, fitting
from operations import engine
from operations.models import Event, Operation
from scheduling import claims
from tasks.conductor import wire

LOST = "Its host reports no guest of it: it was deleted after the backup was made, or lost. Delete the server."


def follow(asked: wire.Observe) -> None:
    """Every living server of which the host has a guest; then those that should be there and are not."""
    seen = {guest.id: guest for guest in asked.guests}
    for row in Instance.objects.alive().filter(id__in=seen):
        guest = seen[row.id]
        if guest.epoch < row.owner_epoch or _is_leaving(row):
            continue  # a copy that an owner of the past left; or to be deleted, which still holds
        if _is_right(row, asked.host_id, guest):
            continue
        _adopt(row, asked.host_id, guest)
    absent = Instance.objects.alive().filter(host_id=asked.host_id, open_operation__isnull=True).exclude(id__in=seen)
    for row in absent.exclude(settled=VmState.ERROR.value):
        _report_lost(row)


def _is_leaving(row: Instance) -> bool:
    return Operation.objects.open().filter(id=row.open_operation or "", verb__in=("delete", "softDelete")).exists()


def _settled(row: Instance, guest: wire.GuestSeen) -> VmState:
    return fitting(VmState(row.settled), PowerState(guest.power))


def _is_right(row: Instance, host_id: str, guest: wire.GuestSeen) -> bool:
    return (row.host_id, row.owner_epoch, row.open_operation, row.observed_power, row.settled) == (
        host_id, guest.epoch, None, guest.power, _settled(row, guest).value,
    )  # fmt: skip


def _adopt(row: Instance, host_id: str, guest: wire.GuestSeen) -> None:
    """Owner, epoch, state and claims as the guest has them, in one transaction."""
    settled = _settled(row, guest)
    with transaction.atomic():
        changes = row.cache(
            None,
            open_operation=None,
            host_id=host_id,
            owner_epoch=guest.epoch,
            settled=settled.value,
            soft_deleted_at=row.soft_deleted_at if settled == VmState.SOFT_DELETED else None,
            power_on=PowerState(guest.power) in (PowerState.RUNNING, PowerState.PAUSED),
            observed_power=guest.power,
        )
        unchanged = Instance.objects.alive().filter(
            id=row.id, host_id=row.host_id, owner_epoch=row.owner_epoch, open_operation=row.open_operation
        )
        if not unchanged.update(**changes, observed_at=Now()):
            return
        engine.supersede("server", row.id)
        move = moves.open_of(row.id)
        if move is not None:  # what it was to become, nobody knows: it is what its guest is
            moves.settle_there(row, move, "error")
        if row.host_id != host_id or move is not None:
            claims.release(row.id)
            claims.claim(row.id, host_id, row.claims(), row.project_id, row.user_id, is_there=True)
        Event.note("server.adopted", "server", row.id, project_id=row.project_id, host_id=host_id, state=settled.value)


def _report_lost(row: Instance) -> None:
    with transaction.atomic():
        changes = row.cache(None, settled=VmState.ERROR.value, observed_power=PowerState.NOSTATE.value, power_on=False)
        facts = {"fault_code": 500, "fault_message": LOST, "fault_details": "", "fault_at": Now()}
        unchanged = Instance.objects.alive().filter(id=row.id, host_id=row.host_id, open_operation__isnull=True)
        if unchanged.update(**changes, **facts):
            Event.note("server.lost", "server", row.id, project_id=row.project_id)
