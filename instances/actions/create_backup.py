"""Create backup: an image of a server, of which the last few of a kind are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from computecloud.core.actor import SYSTEM, Actor
from instances.actions.base import Report
from instances.actions.create_image import CreateImage, drop_image
from instances.models import Instance
from integrations.images import facade as images
from operations.models import Operation
from operations.models.operation import State


class CreateBackup(CreateImage):
    """``kind`` is the owner's word, such as daily; ``rotation`` is how many of them are kept, this one included."""

    verb = "createBackup"
    rule = "os_compute_api:os-create-backup"
    schema_version = 5
    examples = ({"name": "example", "metadata": {}, "kind": "daily", "rotation": 1, "image_id": "example"},)

    @classmethod
    def accept(cls, actor: Actor, instance: Instance, request_id: str, args: dict[str, Any]) -> Operation:
        """The image is the server's project's, whoever asks, or nobody would find it to remove it."""
        return super().accept(replace(actor, project_id=instance.project_id), instance, request_id, args)

    @classmethod
    def wish(cls, args: Mapping[str, Any]) -> dict[str, Any]:
        return {"kind": args["kind"], "rotation": args["rotation"]}

    @classmethod
    def properties(cls, args: Mapping[str, Any]) -> dict[str, str]:
        return {**args["metadata"], "image_type": "backup", "backup_type": args["kind"]}

    @classmethod
    def succeed(cls, operation: Operation, instance: Instance, report: Report) -> None:
        super().succeed(operation, instance, report)
        if operation.state == State.SUCCEEDED:
            cls.rotate(instance, operation.args["kind"], operation.args["rotation"])

    @classmethod
    def rotate(cls, instance: Instance, kind: str, rotation: int) -> None:
        """Remove the oldest of the kind; what an owner protects stays."""
        whole = images.query(
            SYSTEM,
            owner=instance.project_id,
            status="active",
            properties__instance_uuid=instance.id,
            properties__image_type="backup",
            properties__backup_type=kind,
        )
        for image in whole[rotation:]:
            drop_image(image.id)

    @classmethod
    def of_kind(
        cls, actor: Actor, instance: Instance, name: str, metadata: Mapping[str, str], kind: str, rotation: int,
        request_id: str = "",
    ) -> str:  # fmt: skip
        """Accept it; the image's id. Raises what ``request`` raises, and OverQuota of images."""
        words: dict[str, Any] = {"name": name, "metadata": dict(metadata), "kind": kind, "rotation": rotation}
        return str(cls.request(actor, instance, request_id, **words).args["image_id"])
