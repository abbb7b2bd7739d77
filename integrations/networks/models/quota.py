"""Quota gates: how many rows of a kind a project may have, and how many it has."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q


class QuotaGate(models.Model):
    """Limit and use of one resource in one project.

    ``limit`` null means the default of the settings, -1 unlimited. ``used`` changes only in the transaction that makes
    or ends the rows it counts, by a conditional UPDATE, so it cannot drift.
    """

    project_id = models.CharField(max_length=64)
    resource = models.CharField(max_length=32)
    limit = models.IntegerField(null=True, blank=True)
    used = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        ordering: ClassVar = ["project_id", "resource"]
        constraints: ClassVar = [
            models.UniqueConstraint(name="network_gate_once_per_project", fields=["project_id", "resource"]),
            models.CheckConstraint(name="network_gate_used_not_negative", condition=Q(used__gte=0)),
        ]

    def __str__(self) -> str:
        return f"{self.resource} of {self.project_id}"
