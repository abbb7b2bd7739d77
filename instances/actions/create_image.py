"""Create image: the root disk of one moment becomes an image, while the guest goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from computecloud.core.actor import SYSTEM, Actor
from computecloud.core.errors import Conflict, Forbidden, NotFound
from hosts.drivers.base import Driver, Snapshotting
from hosts.drivers.errors import Unsupported
from hosts.drivers.specs import Step
from instances.actions.base import Action, Order, Report
from instances.models import Instance
from instances.states import VmState
from integrations.images import facade as images
from integrations.images.facade import Image
from operations.models import Operation


class CreateImage(Action):
    """The image's row is there, queued, before the answer; it is active when its bytes are, gone when that fails."""

    verb = "createImage"
    rule = "os_compute_api:servers:create_image"
    allowed_from = frozenset({VmState.ACTIVE, VmState.STOPPED, VmState.PAUSED, VmState.SUSPENDED})
    with_spec = False
    examples = ({"name": "example", "metadata": {}, "image_id": "example"},)

    @classmethod
    def of(cls, actor: Actor, instance: Instance, name: str, metadata: Mapping[str, str], request_id: str = "") -> str:
        """Accept it; the image's id. Raises what ``request`` raises, and OverQuota of images."""
        operation = cls.request(actor, instance, request_id, name=name, metadata=dict(metadata))
        return str(operation.args["image_id"])

    @classmethod
    def accept(cls, actor: Actor, instance: Instance, request_id: str, args: dict[str, Any]) -> Operation:
        """The image and the operation that makes it are one transaction."""
        image = begin_image(actor, instance, args["name"], cls.properties(args))
        return super().accept(actor, instance, request_id, {"image_id": image.id, **cls.wish(args)})

    @classmethod
    def properties(cls, args: Mapping[str, Any]) -> dict[str, str]:
        """What the image's properties say beside where it is from."""
        return dict(args["metadata"])

    @classmethod
    def wish(cls, args: Mapping[str, Any]) -> dict[str, Any]:
        """What is kept with the operation beside the image."""
        return {}

    def perform(self, driver: Driver, order: Order) -> Sequence[Step]:
        if not isinstance(driver, Snapshotting):
            raise Unsupported("this driver cannot make an image of a guest")
        return driver.snapshot(order.ref, order.args["image_id"])

    @classmethod
    def fail(cls, operation: Operation, instance: Instance, report: Report) -> None:
        super().fail(operation, instance, report)
        cls.superseded(operation)

    @classmethod
    def superseded(cls, operation: Operation) -> None:
        images.discard(operation.args["image_id"])


def begin_image(actor: Actor, instance: Instance, name: str, metadata: Mapping[str, str]) -> Image:
    """The queued image that a server's root disk will become. Raises OverQuota of images."""
    return images.create(
        actor,
        name,
        disk_format="qcow2",
        min_disk_gb=instance.disk_gb,
        properties={
            **instance.image_properties,
            "image_type": "snapshot",
            "instance_uuid": instance.id,
            "user_id": actor.user_id,
            "base_image_ref": instance.image_id,
            **metadata,
        },
    )


def drop_image(image_id: str) -> None:
    """Remove an image that the cloud made for itself, whatever has become of it; its owner may protect it."""
    with suppress(NotFound, Forbidden, Conflict):
        images.delete(SYSTEM, image_id)
