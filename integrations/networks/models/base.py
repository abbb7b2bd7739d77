"""What every row of this service that users see has: an id, a project, a name, times and a revision."""

from __future__ import annotations

from typing import Self, TypeVar

from django.db import models

from computecloud.core.actor import Actor
from computecloud.core.clock import utcnow
from computecloud.core.ids import new_uuid

Row = TypeVar("Row", bound=models.Model, covariant=True)


class OwnedQuerySet(models.QuerySet[Row]):
    """Rows that belong to a project."""

    def for_actor(self, actor: Actor) -> Self:
        """The actor's own project's rows; all for an administrator."""
        return self if actor.is_admin else self.owned_by(actor.project_id)

    def owned_by(self, project_id: str | None) -> Self:
        """One project's rows; none for an actor without a project."""
        return self.filter(project_id=project_id) if project_id else self.none()


class Owned(models.Model):
    """The common columns. ``revision`` rises by one with every change that a client makes."""

    id = models.CharField(primary_key=True, max_length=36, default=new_uuid, editable=False)
    project_id = models.CharField(max_length=64, db_index=True, editable=False)
    name = models.CharField(max_length=255, blank=True, default="", db_index=True)
    description = models.CharField(max_length=255, blank=True, default="")
    created_at = models.DateTimeField(default=utcnow, editable=False)
    updated_at = models.DateTimeField(default=utcnow, editable=False)
    revision = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name or self.id
