"""Flavors: the sizes a server can have, and which projects may use the private ones.

A server keeps a snapshot of its flavor, so a flavor may be deleted while servers of it still run.
"""

from __future__ import annotations

from typing import ClassVar, Self

from django.db import models
from django.db.models import Q

from computecloud.core.actor import Actor
from computecloud.core.clock import utcnow
from computecloud.core.ids import new_uuid

MAX_INT = 0x7FFFFFFF
MAX_FLOAT = 3.40282e38


class FlavorQuerySet(models.QuerySet["Flavor"]):
    """Questions about flavors."""

    def for_actor(self, actor: Actor) -> Self:
        """Flavors the actor may use or show: all for an administrator, else public ones and those granted."""
        if actor.is_admin:
            return self
        return self.usable_by(actor.project_id)

    def usable_by(self, project_id: str | None) -> Self:
        """Public flavors and the private ones that the project was given access to."""
        granted = FlavorAccess.objects.filter(project_id=project_id or "").values("flavor_id")
        return self.filter(Q(is_public=True) | Q(id__in=granted))


class Flavor(models.Model):
    """A named size: processors, memory, disks, and extra specs for the scheduler and the driver.

    ``id`` is the public flavor id and may be chosen by the administrator ("1", "m1.small", a uuid).
    """

    id = models.CharField(primary_key=True, max_length=255, default=new_uuid)
    name = models.CharField(max_length=255, unique=True)
    vcpus = models.PositiveIntegerField()
    ram_mb = models.PositiveIntegerField()
    disk_gb = models.PositiveIntegerField(default=0)
    ephemeral_gb = models.PositiveIntegerField(default=0)
    swap_mb = models.PositiveIntegerField(default=0)
    rxtx_factor = models.FloatField(default=1.0)
    is_public = models.BooleanField(default=True)
    disabled = models.BooleanField(default=False)
    description = models.TextField(null=True, blank=True)
    extra_specs = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=utcnow, editable=False)
    updated_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects: ClassVar[FlavorQuerySet] = FlavorQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.CheckConstraint(name="flavor_has_a_processor", condition=Q(vcpus__gte=1)),
            models.CheckConstraint(name="flavor_has_memory", condition=Q(ram_mb__gte=1)),
        ]

    def __str__(self) -> str:
        return self.name


class FlavorAccess(models.Model):
    """One project's leave to use one private flavor."""

    flavor = models.ForeignKey(Flavor, on_delete=models.CASCADE, related_name="access")
    project_id = models.CharField(max_length=255, db_index=True)

    class Meta:
        verbose_name_plural = "flavor access"
        constraints: ClassVar = [
            models.UniqueConstraint(name="flavor_access_once", fields=["flavor", "project_id"]),
        ]

    def __str__(self) -> str:
        return f"{self.flavor_id} for {self.project_id}"
