"""Shelve: the server becomes an image and gives its host up; unshelve makes it again, wherever there is room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from computecloud.conf import conf
from computecloud.core.actor import SYSTEM, Actor
from computecloud.core.errors import Conflict
from hosts.drivers import steps as stepping
from hosts.drivers.base import Driver, Snapshotting
from hosts.drivers.errors import Unsupported
from hosts.drivers.specs import DiskSpec, GuestSpec, PowerState, Step
from instances.actions.base import Action, Order, Report
from instances.actions.create import MOST_HOSTS, Create
from instances.actions.create_image import begin_image, drop_image
from instances.models import Instance
from instances.spec import guest_spec, image_spec
from instances.states import VmState
from integrations.networks import facade as networks
from operations import engine
from operations.models import Operation
from operations.models.operation import State, later
from scheduling import dispatch
from scheduling.claims import Chosen


class Shelve(Action):
    """Off, and into an image. What is paused or suspended is copied first, so that a copy that fails costs nothing."""

    verb = "shelve"
    rule = "os_compute_api:os-shelve:shelve"
    allowed_from = frozenset({VmState.ACTIVE, VmState.STOPPED, VmState.PAUSED, VmState.SUSPENDED})
    schema_version = 4

    @classmethod
    def accept(cls, actor: Actor, instance: Instance, request_id: str, args: dict[str, Any]) -> Operation:
        """The image is the server's project's, whoever shelves it."""
        image = begin_image(replace(actor, project_id=instance.project_id), instance, f"{instance.name}-shelved", {})
        asleep = instance.settled in (VmState.PAUSED, VmState.SUSPENDED)
        wish = {"image_id": image.id, "asleep": asleep, "was_on": instance.settled == VmState.ACTIVE}
        return super().accept(actor, instance, request_id, wish)

    def perform(self, driver: Driver, order: Order) -> Sequence[Step]:
        if not isinstance(driver, Snapshotting):
            raise Unsupported("this driver cannot make an image of a guest")
        off = [*driver.power_off(order.ref, timeout_s=conf().stop_timeout_s)]
        copy = driver.snapshot(order.ref, str(order.args.get("image_id")))
        if order.args.get("asleep"):
            return [*copy, *off]
        if order.args.get("was_on"):
            off[0] = replace(off[0], undo=partial(stepping.run_all, driver.power_on(order.need_spec())))
        return [*off, *copy]

    @classmethod
    def succeed(cls, operation: Operation, instance: Instance, report: Report) -> None:
        super().succeed(operation, instance, report)
        if conf().shelved_offload_s == 0:
            ShelveOffload.follow(instance.id)

    @classmethod
    def on_success(cls, operation: Operation, instance: Instance) -> dict[str, Any]:
        return {"shelved_image_id": operation.args["image_id"], "power_on": False}

    @classmethod
    def fail(cls, operation: Operation, instance: Instance, report: Report) -> None:
        super().fail(operation, instance, report)
        if operation.state == State.FAILED:
            cls.superseded(operation)

    @classmethod
    def superseded(cls, operation: Operation) -> None:
        drop_image(operation.args["image_id"])


class ShelveOffload(Action):
    """Give the host up: guest, claims and the place in the group. Once begun it is only ever finished."""

    verb = "shelveOffload"
    rule = "os_compute_api:os-shelve:shelve_offload"
    allowed_from = frozenset({VmState.SHELVED})
    with_spec = False
    reshapes = True
    schema_version = 4

    @classmethod
    def follow(cls, server_id: str) -> None:
        """By itself, of a server that is shelved and idle."""
        server = Instance.objects.alive().select_related("host").filter(id=server_id, open_operation=None).first()
        if server is not None and server.settled == VmState.SHELVED and server.host is not None:
            cls.accept(SYSTEM, server, "", {})

    @classmethod
    def follow_all(cls, idle_s: float) -> None:
        """Those that have been shelved for so long."""
        shelved = Instance.objects.alive().filter(settled=VmState.SHELVED.value, open_operation=None)
        for server_id in shelved.filter(host__isnull=False, updated_at__lt=later(-idle_s)).values_list("id", flat=True):
            try:
                cls.follow(server_id)
            except Conflict:
                continue  # somebody unshelves it at this moment

    def perform(self, driver: Driver, order: Order) -> Sequence[Step]:
        return [replace(step, tidies=True) for step in driver.destroy(order.ref)]

    @classmethod
    def succeed(cls, operation: Operation, instance: Instance, report: Report) -> None:
        if not engine.close(operation, State.SUCCEEDED):
            return
        cls.settle(operation, instance, open_operation=None, **cls.given_up(instance))

    @classmethod
    def given_up(cls, instance: Instance) -> dict[str, Any]:
        """The columns of a server whose host has nothing of it any more; what it held there is given back."""
        cls.let_go(instance)
        if instance.network_info:
            networks.move(instance.id, "", "")
        offloaded = VmState.SHELVED_OFFLOADED.value
        return {"settled": offloaded, "host_id": None, "observed_power": PowerState.NOSTATE.value}


class Unshelve(Action):
    """Start it where it is, or, offloaded, have it placed as a new server is and made from its image.

    ``forced_host``: the name of the host it is to go to. ``columns``: the zone it is pinned to from now on.
    """

    verb = "unshelve"
    rule = "os_compute_api:os-shelve:unshelve"
    allowed_from = frozenset({VmState.SHELVED, VmState.SHELVED_OFFLOADED})
    tried_from = (VmState.SHELVED, VmState.SHELVED_OFFLOADED)
    needs_host = False
    schema_version = 4

    @classmethod
    def intent(cls, instance: Instance, args: dict[str, Any]) -> dict[str, Any]:
        columns: dict[str, Any] = {"power_on": True, **args.pop("columns", {})}
        args["before"] = {name: getattr(instance, name) for name in columns}
        args["offloaded"] = instance.settled == VmState.SHELVED_OFFLOADED
        return columns

    # --- at the centre, of one that was offloaded

    @classmethod
    def take_host(cls, operation: Operation, instance: Instance, host: Chosen) -> bool:
        """As a new server's, with the ports that it has. False when the operation is no longer ours."""
        return Create.take_host(operation, instance, host)

    @classmethod
    def refuse(cls, operation: Operation, instance: Instance, fault: str, details: str = "", code: int = 500) -> None:
        """It stays what it was, and holds nothing (R13)."""
        if operation.args.get("offloaded"):
            cls.leave_host(instance)
            instance.host_id = None
        super().fail(operation, instance, Report("failed", code=code, fault=fault, details=details))

    @classmethod
    def on_failure(cls, operation: Operation, instance: Instance) -> dict[str, Any]:
        left = {"host_id": None, "observed_power": PowerState.NOSTATE.value} if operation.args.get("offloaded") else {}
        return {**operation.args["before"], **left}

    @classmethod
    def leave_host(cls, instance: Instance) -> None:
        cls.let_go(instance)
        if instance.network_info:
            networks.move(instance.id, "", "")

    # --- on the host

    @classmethod
    def spec(cls, instance: Instance, operation: Operation) -> GuestSpec:
        whole = guest_spec(instance, operation)
        if not operation.args.get("offloaded"):
            return whole
        image = image_spec(instance.shelved_image_id)
        disks = [replace(disk, image=image) if disk.role == "root" else disk for disk in whole.disks]
        if not any(disk.role == "root" for disk in disks):  # made of an image that is gone, by a flavor without a disk
            disks.insert(0, DiskSpec("root", 0, "vda", instance.disk_gb, image=image))
        return replace(whole, disks=tuple(disks))

    def perform(self, driver: Driver, order: Order) -> Sequence[Step]:
        if order.args.get("offloaded"):
            return driver.spawn(order.need_spec())
        *before, start = driver.power_on(order.need_spec())
        return [*before, replace(start, undo=partial(stepping.run_all, driver.power_off(order.ref)))]

    # --- in the conductor

    @classmethod
    def on_success(cls, operation: Operation, instance: Instance) -> dict[str, Any]:
        if instance.network_info:
            networks.plugged(instance.id)
        drop_image(instance.shelved_image_id)
        return {"shelved_image_id": "", "fault_code": None}

    @classmethod
    def fail(cls, operation: Operation, instance: Instance, report: Report) -> None:
        """An offloaded one is tried on the next host, a few times."""
        tried = [*operation.args.get("tried", []), operation.host_id]
        if not operation.args.get("offloaded"):
            super().fail(operation, instance, report)
        elif len(tried) >= MOST_HOSTS:
            cls.refuse(operation, instance, report.fault, report.details, report.code)
        else:
            cls.leave_host(instance)
            args = {**operation.args, "tried": tried, "last_fault": report.fault[:200]}
            if dispatch.to_control(operation, args=args, details=report.details):
                cls.settle(operation, instance, host_id=None, open_operation=operation.id)
