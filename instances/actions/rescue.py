"""Rescue and unrescue: the guest boots from another disk, to mend its own, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from computecloud.conf import conf
from computecloud.core.actor import Actor
from computecloud.core.errors import Invalid
from hosts.drivers.base import Driver, Rescuing
from hosts.drivers.errors import Unsupported
from hosts.drivers.specs import DiskSpec, GuestSpec, PowerState, RescueSpec, Step
from instances.actions.base import Action, Order
from instances.models import Instance
from instances.spec import guest_spec, image_spec
from instances.states import VmState
from integrations.images import facade as images
from integrations.images.facade import Image
from operations.models import Operation

BUSES = frozenset({"virtio", "sata", "scsi", "ide"})
DEVICES = frozenset({"disk", "cdrom"})


class Rescue(Action):
    """Boot from a fresh copy of an image; the server's own disks come after it.

    An image that says ``hw_rescue_device`` or ``hw_rescue_bus`` comes last instead, so that they keep their names.
    ``rescue_image_id``: whose copy; by default the one that the server was made of.
    """

    verb = "rescue"
    rule = "os_compute_api:os-rescue"
    allowed_from = frozenset({VmState.ACTIVE, VmState.STOPPED, VmState.ERROR})
    turns_power = True
    reshapes = True
    schema_version = 2

    @classmethod
    def accept(cls, actor: Actor, instance: Instance, request_id: str, args: dict[str, Any]) -> Operation:
        was_on = instance.settled == VmState.ACTIVE or instance.observed_power == PowerState.RUNNING
        image_id = args.pop("rescue_image_id", instance.image_id)
        bus, is_stable = wiring_of(images.known(image_id))
        wish = {"rescue_image_id": image_id, "bus": bus, "is_stable": is_stable}
        before = {"was_on": was_on, "was_meant_on": instance.power_on}
        return super().accept(actor, instance, request_id, {**args, **wish, **before})

    @classmethod
    def spec(cls, instance: Instance, operation: Operation) -> GuestSpec:
        wish = operation.args
        disk = DiskSpec("rescue", 0, "rescue", 0, image=image_spec(wish["rescue_image_id"]), bus=wish["bus"])
        return replace(guest_spec(instance, operation), rescue=RescueSpec(disk, wish["is_stable"]))

    def perform(self, driver: Driver, order: Order) -> Sequence[Step]:
        was_on = bool(order.args.get("was_on"))
        return _rescuing(driver).rescue(order.need_spec(), was_on=was_on, timeout_s=conf().stop_timeout_s)

    @classmethod
    def on_success(cls, operation: Operation, instance: Instance) -> dict[str, Any]:
        return {"fault_code": None}

    @classmethod
    def on_failure(cls, operation: Operation, instance: Instance) -> dict[str, Any]:
        return {"power_on": operation.args["was_meant_on"]}


class Unrescue(Action):
    """Boot from the server's own disk again; the rescue disk is thrown away."""

    verb = "unrescue"
    rule = "os_compute_api:os-unrescue"
    allowed_from = frozenset({VmState.RESCUED})
    turns_power = True
    reshapes = True
    schema_version = 2

    def perform(self, driver: Driver, order: Order) -> Sequence[Step]:
        return _rescuing(driver).unrescue(order.need_spec(), timeout_s=conf().stop_timeout_s)


def _rescuing(driver: Driver) -> Rescuing:
    if not isinstance(driver, Rescuing):
        raise Unsupported("this driver cannot rescue a guest")
    return driver


def wiring_of(image: Image | None) -> tuple[str, bool]:
    """(bus, whether it comes last) of a rescue disk from this image. Raises Invalid for what no host here has."""
    properties = image.properties if image else {}
    device, bus = properties.get("hw_rescue_device"), properties.get("hw_rescue_bus")
    if device is not None and device not in DEVICES:
        raise Invalid(f"Requested rescue device '{device[:60]}' is not supported")
    if bus is not None and bus not in BUSES:
        raise Invalid(f"Requested rescue bus '{bus[:60]}' is not supported")
    return bus or ("sata" if device == "cdrom" else "virtio"), device is not None or bus is not None
