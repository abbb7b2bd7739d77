"""Server groups: which servers belong together and what the scheduler promises about their hosts.

Rows only: a server names its group in ``Instance.server_group_id``; the placements that enforce a policy are kept by
``scheduling``.
"""

from __future__ import annotations

from typing import ClassVar, Self

from django.db import models

from computecloud.core.actor import Actor
from computecloud.core.clock import utcnow
from computecloud.core.ids import new_uuid


class ServerGroupQuerySet(models.QuerySet["ServerGroup"]):
    """Questions about server groups."""

    def for_actor(self, actor: Actor) -> Self:
        """Groups of the actor's project; all for an administrator."""
        return self if actor.is_admin else self.filter(project_id=actor.project_id or "")


class ServerGroup(models.Model):
    """A set of servers with one placement policy. ``rules`` may hold ``max_server_per_host`` (int)."""

    class Policy(models.TextChoices):
        AFFINITY = "affinity"
        ANTI_AFFINITY = "anti-affinity"
        SOFT_AFFINITY = "soft-affinity"
        SOFT_ANTI_AFFINITY = "soft-anti-affinity"

    id = models.CharField(primary_key=True, max_length=36, default=new_uuid)
    project_id = models.CharField(max_length=64, db_index=True)
    user_id = models.CharField(max_length=64)
    name = models.CharField(max_length=255)
    policy = models.CharField(max_length=20, choices=Policy)
    rules = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=utcnow, editable=False)

    objects: ClassVar[ServerGroupQuerySet] = ServerGroupQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering: ClassVar = ["created_at", "id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.policy})"
