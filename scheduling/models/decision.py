"""One stored placement, success or not: what was asked, who refused and why, who won."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models.functions import Now

from computecloud.core.actor import Actor
from computecloud.core.ids import first_ordered_uuid, new_ordered_uuid

CLOCKS_DIFFER_S = 300.0  # a scheduler's, which ids are made by, and the database's: at most


class DecisionQuerySet(models.QuerySet["Decision"]):
    def for_actor(self, actor: Actor) -> Self:
        """Own project's; all for an administrator."""
        return self if actor.is_admin else self.filter(project_id=actor.project_id or "-")

    def since(self, moment: datetime) -> Self:
        """Made at that moment or later."""
        return self.filter(id__gte=first_ordered_uuid(moment.timestamp() - CLOCKS_DIFFER_S), created_at__gte=moment)

    def before(self, moment: datetime) -> Self:
        return self.filter(id__lt=first_ordered_uuid(moment.timestamp() + CLOCKS_DIFFER_S), created_at__lt=moment)


class Decision(models.Model):
    """The columns that lists are made of; ``body`` holds the rest, see ``scheduling.records``.

    ``id`` sorts by time, so that it serves the lists and the retention too: every placement pays for each index.
    ``snapshot`` and ``rules`` name the ``Snapshot`` rows that it was made on: with ``body`` they give back that table.
    """

    id = models.CharField(primary_key=True, max_length=36, default=new_ordered_uuid, editable=False)
    consumer_id = models.CharField(max_length=64, db_index=True)
    project_id = models.CharField(max_length=64, blank=True)
    trigger = models.CharField(max_length=32)
    hosts_seen = models.IntegerField(default=0)
    chosen_host_id = models.CharField(max_length=36, blank=True)
    chosen_host_name = models.CharField(max_length=255, blank=True)
    blocked_by = models.CharField(max_length=255, blank=True)  # the filter that refused the last host
    lost_races = models.IntegerField(default=0)
    fault = models.TextField(blank=True)
    took_us = models.IntegerField(default=0)  # filters and weighers
    seed = models.BigIntegerField(default=0)
    rules = models.CharField(max_length=32, blank=True)
    snapshot = models.CharField(max_length=32, blank=True)
    body = models.BinaryField(default=bytes)
    created_at = models.DateTimeField(db_default=Now())

    objects = DecisionQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.consumer_id} → {self.chosen_host_name or 'nowhere'}"
