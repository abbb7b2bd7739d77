"""The way of a server between two hosts: one operation that walks from queue to queue, each part under its own epoch.

``leave`` (old host: off, disks packed and sent, nothing of it runs or is plugged there any more) → ``arrive`` (new
host: disks fetched, defined, on). What fails goes the way back: ``clear`` (new host: nothing of the guest is left) →
``back`` (old host: disks in their place, on again). The owner changes with the epoch between two parts only, so the
guest runs on one host at most; the old host's disks stay until somebody confirms (decision 0162).
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import asdict, replace
from typing import Any, ClassVar

import msgspec
from django.db import transaction

from computecloud.conf import conf
from hosts.drivers.base import Driver, Moving
from hosts.drivers.errors import Unsupported
from hosts.drivers.specs import CarriedDisk, GuestSpec, Step, Trip
from instances import moves
from instances.actions.base import Action, Order, Report
from instances.fleet import zone_of
from instances.models import Instance, Move
from instances.spec import guest_spec
from instances.states import VmState
from integrations.networks import facade as networks
from operations import sql
from operations.models import Operation
from operations.models.operation import later
from scheduling import dispatch
from scheduling.claims import Chosen

LEAVE, ARRIVE, CLEAR, BACK = "leave", "arrive", "clear", "back"
BACK_TRIES = 3


class Journey(Action):
    """Verbs that take a server to another host or back. ``args``: move, phase, starts, disks, since, tries, fault."""

    reshapes = True
    schema_version = 10
    phases: ClassVar[tuple[str, ...]] = (LEAVE, ARRIVE, CLEAR, BACK)

    # --- between the hosts

    @classmethod
    def go(cls, operation: Operation, instance: Instance, host: Chosen, phase: str, **more: Any) -> bool:
        """Hand the operation on to a host for its next part; ``host`` owns the server from now on.

        ``more``: ``columns`` of the server, and further arguments. False: it is no longer ours.
        """
        columns = {**more.pop("columns", {}), "host_id": host.id, "availability_zone": host.zone}
        if instance.host_id != host.id and instance.network_info:
            columns["network_info"] = msgspec.to_builtins(networks.move(instance.id, host.id, host.name))
        epoch = instance.owner_epoch + 1
        ahead = copy(operation)
        ahead.args = {**operation.args, "phase": phase, "since": operation.attempt, **more}
        guards = {"id": instance.id, "deleted_at": None, "open_operation": operation.id}
        owning = sql.changing(Instance, guards, instance.cache_for(ahead, owner_epoch=epoch, **columns))
        if not dispatch.to_host(operation, host, epoch, along=[owning], args=ahead.args):
            return False
        Operation.objects.filter(id=operation.id).update(deadline_at=later(conf().operation_deadline_s))
        return True

    @classmethod
    def hand_on(cls, operation: Operation, instance: Instance, host: Chosen, phase: str, **more: Any) -> None:
        """``go``, at the end of a part: all of the end or nothing."""
        if not cls.go(operation, instance, host, phase, **more):
            transaction.set_rollback(True)

    @classmethod
    def hand_back(cls, operation: Operation, instance: Instance, move: Move, **more: Any) -> None:
        """To the old host, whose disks are as they were."""
        columns = {**move.old_flavor, **more.pop("columns", {})}
        if instance.flavor() != move.old_flavor:
            moves.note(move, move.status, **move.hold_for(move.old_flavor))
        cls.hand_on(operation, instance, source_of(move), BACK, columns=columns, **more)

    @staticmethod
    def is_begun(operation: Operation) -> bool:
        """Whether a host has begun with this part."""
        return bool(operation.attempt > operation.args.get("since", 0))

    # --- on a host

    @classmethod
    def spec(cls, instance: Instance, operation: Operation) -> GuestSpec:
        if operation.args.get("phase") == ARRIVE:
            instance = instance.with_flavor(operation.args["flavor"])
        return guest_spec(instance, operation)

    def perform(self, driver: Driver, order: Order) -> Sequence[Step]:
        if not isinstance(driver, Moving):
            raise Unsupported("this driver cannot move a guest")
        trip, starts = _trip(order), bool(order.args.get("starts"))
        phase = order.args.get("phase")
        if phase == LEAVE:
            return driver.leave(order.need_spec(), trip, timeout_s=conf().stop_timeout_s)
        if phase == ARRIVE:
            return driver.arrive(order.need_spec(), trip, starts=starts)
        if phase == CLEAR:
            return [replace(step, tidies=True) for step in driver.clear(order.ref)]
        return driver.come_back(order.need_spec(), trip, starts=starts)

    def answer(self, driver: Driver, order: Order) -> dict[str, Any] | None:
        if order.args.get("phase") != LEAVE or not isinstance(driver, Moving):
            return None
        return {"disks": [asdict(disk) for disk in driver.packed(order.ref, _trip(order))]}

    # --- in the conductor: the way back

    @classmethod
    def succeed(cls, operation: Operation, instance: Instance, report: Report) -> None:
        move, phase = moves.open_of(instance.id), operation.args.get("phase")
        if move is None:
            cls.give_up(operation, instance, replace(report, fault="The server's move is over."))
        elif phase == CLEAR:
            cls.hand_back(operation, instance, move)
        elif phase == BACK:
            cls.be_back(operation, instance, move, report)
        else:
            cls.go_on(operation, instance, move, report)

    @classmethod
    def go_on(cls, operation: Operation, instance: Instance, move: Move, report: Report) -> None:
        """A part of the way there has succeeded."""
        raise NotImplementedError

    @classmethod
    def be_back(cls, operation: Operation, instance: Instance, move: Move, report: Report) -> None:
        """The server is on its old host as it was."""
        raise NotImplementedError

    @classmethod
    def fail(cls, operation: Operation, instance: Instance, report: Report) -> None:
        """``back`` is tried a few times, as there is nowhere else to go."""
        move, tries = moves.open_of(instance.id), operation.args.get("tries", 0) + 1
        if move is not None and operation.args.get("phase") == BACK and tries < BACK_TRIES:
            cls.hand_back(operation, instance, move, tries=tries)
        else:
            cls.give_up(operation, instance, report)

    @classmethod
    def give_up(cls, operation: Operation, instance: Instance, report: Report) -> None:
        """ERROR, owned by the host that it was asked of last. What it holds stays: both hosts may have its disks.

        Deleted, it is removed from both.
        """
        if not cls.close_failed(operation, report):
            return
        if move := moves.open_of(instance.id):
            moves.note(move, "error")
        changes = cls.observed(report) | cls.fault(report)
        cls.settle(operation, instance, open_operation=None, settled=VmState.ERROR.value, **changes)


def source_of(move: Move) -> Chosen:
    return Chosen(move.source_id, move.source_name, zone_of(id=move.source_id))


def dest_of(move: Move) -> Chosen:
    return Chosen(move.dest_id, move.dest_name, zone_of(id=move.dest_id))


def _trip(order: Order) -> Trip:
    return Trip(str(order.args.get("move", "")), tuple(CarriedDisk(**disk) for disk in order.args.get("disks", ())))
