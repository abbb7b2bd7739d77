"""Resize and cold migrate: a server is made of its disks on another host, and waits there to be confirmed."""

from __future__ import annotations

from typing import Any, ClassVar

from computecloud.conf import conf
from computecloud.core.actor import Actor
from hosts.models.host import presence
from instances import moves
from instances.actions.base import Report
from instances.actions.journey import ARRIVE, BACK, CLEAR, LEAVE, Journey, dest_of, source_of
from instances.errors import HostNotReady
from instances.models import Instance, Move
from instances.states import VmState
from integrations.networks import facade as networks
from operations import engine
from operations.models import Operation
from operations.models.operation import CONTROL, State
from scheduling.claims import Chosen

BIGGER = {
    "flavor_id": "2", "flavor_name": "bigger", "vcpus": 2, "ram_mb": 128, "disk_gb": 2, "ephemeral_gb": 0,
    "swap_mb": 0, "extra_specs": {},
}  # fmt: skip

UNSUPPORTED = 501  # the host's driver cannot do it, and has done nothing


class Resize(Journey):
    """``flavor``: the columns that the server gets. ``forced_host``: the name of the host it is to go to.

    Another host than its own, unless one is named or the settings allow its own.
    """

    verb = "resize"
    rule = "os_compute_api:servers:resize"
    allowed_from = frozenset({VmState.ACTIVE, VmState.STOPPED})
    examples = ({"flavor": BIGGER},)
    kind: ClassVar[Move.Kind] = Move.Kind.RESIZE

    # --- in the API

    @classmethod
    def accept(cls, actor: Actor, instance: Instance, request_id: str, args: dict[str, Any]) -> Operation:
        cls.check(actor, instance)
        flavor = args.pop("flavor", None) or instance.flavor()
        move = moves.begin(actor, instance, cls.kind, flavor)
        wish = {"move": move.uuid, "flavor": flavor, "starts": instance.settled == VmState.ACTIVE}
        if "forced_host" not in args and not cls.may_stay():
            wish["left"] = instance.host_id
        return super().accept(actor, instance, request_id, {**args, **wish})

    @classmethod
    def check(cls, actor: Actor, instance: Instance) -> None:
        """Before anything is taken. What has changed since it was read, the guarded update finds.

        Raises Conflict.
        """
        is_free = instance.open_operation is None and (not instance.is_locked or actor.is_admin)
        if instance.host is None or not is_free or VmState(instance.vm_state) not in cls.allowed_from:
            raise cls.refusal(actor, instance.id)
        there = presence(instance.host.id)
        if there is None or not there.is_up:
            raise HostNotReady(host=instance.host.name)

    @classmethod
    def may_stay(cls) -> bool:
        return conf().allow_resize_to_same_host

    @classmethod
    def intent(cls, instance: Instance, args: dict[str, Any]) -> dict[str, Any]:
        columns: dict[str, Any] = args.pop("columns", {})
        return columns

    @classmethod
    def queue(cls, instance: Instance) -> str:
        return CONTROL

    # --- at the centre

    @classmethod
    def take_host(cls, operation: Operation, instance: Instance, host: Chosen) -> bool:
        """In the claim's transaction: the new host has room, the old one may begin. False: it is no longer ours."""
        move = moves.open_of(instance.id)
        if move is None:
            return False
        moves.note(move, "migrating", dest_id=host.id, dest_name=host.name)
        return cls.go(operation, instance, source_of(move), LEAVE)

    @classmethod
    def refuse(cls, operation: Operation, instance: Instance, fault: str, details: str = "", code: int = 500) -> None:
        """No host, or out of time: before it has left, it stays as it was."""
        report = Report("failed", code=code, fault=fault, details=details)
        if operation.queue == CONTROL:
            cls.stay(operation, instance, report)
        else:
            cls.fail(operation, instance, report)

    @classmethod
    def stay(cls, operation: Operation, instance: Instance, report: Report) -> None:
        """As it was, with a fault that says why."""
        if not cls.close_failed(operation, report):
            return
        if move := moves.open_of(instance.id):
            moves.settle_back(instance, move, "error")
        cls.settle(operation, instance, open_operation=None, **cls.observed(report), **cls.fault(report))

    # --- in the conductor

    @classmethod
    def go_on(cls, operation: Operation, instance: Instance, move: Move, report: Report) -> None:
        if operation.args["phase"] == LEAVE:
            moves.note(move, "post-migrating")
            disks = (report.result or {}).get("disks", [])
            cls.hand_on(operation, instance, dest_of(move), ARRIVE, disks=disks)
            return
        if not engine.close(operation, State.SUCCEEDED):
            return
        moves.note(move, "finished", **move.hold_for(move.new_flavor))
        if instance.network_info:
            networks.plugged(instance.id)
        columns = {**move.new_flavor, **cls.observed(report), "fault_code": None}
        cls.settle(operation, instance, open_operation=None, settled=VmState.RESIZED.value, **columns)

    @classmethod
    def be_back(cls, operation: Operation, instance: Instance, move: Move, report: Report) -> None:
        if instance.network_info:
            networks.plugged(instance.id)
        first = operation.args.get("fault") or {}
        cls.stay(operation, instance, Report("failed", power=report.power, **first))

    @classmethod
    def fail(cls, operation: Operation, instance: Instance, report: Report) -> None:
        """The way back, from wherever it is; the first fault is the one that is told."""
        move, phase = moves.open_of(instance.id), operation.args.get("phase")
        first = {"code": report.code, "fault": report.fault, "details": report.details[:4000]}
        if move is None or phase not in (LEAVE, ARRIVE):
            if phase == BACK and "fault" not in operation.args:
                operation.args = {**operation.args, "fault": first}
            super().fail(operation, instance, report)
        elif phase == LEAVE and (report.code == UNSUPPORTED or not cls.is_begun(operation)):
            cls.stay(operation, instance, report)
        elif phase == ARRIVE and cls.is_begun(operation):
            cls.hand_on(operation, instance, dest_of(move), CLEAR, fault=first)
        else:
            cls.hand_back(operation, instance, move, fault=first)


class Migrate(Resize):
    """The same flavor on another host, which an administrator may name."""

    verb = "migrate"
    rule = "os_compute_api:os-migrate-server:migrate"
    kind = Move.Kind.MIGRATION
    examples = ({},)

    @classmethod
    def may_stay(cls) -> bool:
        return False
