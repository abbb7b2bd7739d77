"""A server's move to another host or flavor: what it holds twice until somebody confirms or reverts it."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from computecloud.core.ids import new_uuid
from instances.models.instance import Instance


class Move(models.Model):
    """Nova's migration. ``status`` is its word; ``is_open`` from the request until nothing is held for it any more.

    While it is open its ``uuid`` is the consumer (``move``) that holds what the server had on its old host.
    """

    class Kind(models.TextChoices):
        RESIZE = "resize"
        MIGRATION = "migration"

    id = models.AutoField(primary_key=True)
    uuid = models.CharField(max_length=36, unique=True, default=new_uuid, editable=False)
    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="moves")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    # pre-migrating, migrating, post-migrating, finished, confirming, confirmed, reverting, reverted, error
    status = models.CharField(max_length=24, default="pre-migrating")
    is_open = models.BooleanField(default=True)
    project_id = models.CharField(max_length=64)
    user_id = models.CharField(max_length=64)

    source_id = models.CharField(max_length=36)
    source_name = models.CharField(max_length=255)
    dest_id = models.CharField(max_length=36, blank=True)
    dest_name = models.CharField(max_length=255, blank=True)
    old_flavor = models.JSONField(default=dict)  # columns of the server
    new_flavor = models.JSONField(default=dict)
    was = models.CharField(max_length=32)  # where the server was settled before
    # what counts against the project's quota beside the server's own figures: it has the larger of both until the end
    held_cores = models.IntegerField(default=0)
    held_ram_mb = models.IntegerField(default=0)

    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("-created_at", "-id")
        constraints = [
            models.UniqueConstraint(fields=["instance"], condition=Q(is_open=True), name="one_open_move_per_server"),
        ]
        indexes = [
            models.Index(fields=["status", "updated_at"], condition=Q(is_open=True), name="move_open"),
            models.Index(fields=["-created_at", "-id"], name="move_list"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.instance_id} from {self.source_name} to {self.dest_name or 'nowhere yet'}"

    def held(self) -> dict[str, int]:
        """By resource of the quota gates."""
        return {"cores": self.held_cores, "ram_mb": self.held_ram_mb}

    def hold_for(self, flavor: dict[str, Any]) -> dict[str, int]:
        """Columns once the server's own figures are this flavor's: what the larger of both flavors has beyond it."""
        both = (self.old_flavor, self.new_flavor)
        return {
            "held_cores": max(one["vcpus"] for one in both) - flavor["vcpus"],
            "held_ram_mb": max(one["ram_mb"] for one in both) - flavor["ram_mb"],
        }
