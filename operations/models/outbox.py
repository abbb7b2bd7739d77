"""News from a lower service to the apps above it: a port or a project was deleted. ``tasks.control`` delivers them."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.functions import Now


class Outbox(models.Model):
    """Written in the transaction of the news; handled at least once, in order of id."""

    topic = models.CharField(max_length=64)  # port.deleted, project.deleted, user.deleted
    body = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_default=Now())
    handled_at = models.DateTimeField(null=True, blank=True)
    tries = models.IntegerField(default=0)
    last_error = models.TextField(blank=True)

    class Meta:
        ordering = ("id",)
        verbose_name_plural = "outbox"
        indexes = [
            models.Index(fields=["id"], condition=models.Q(handled_at__isnull=True), name="outbox_waiting"),
        ]

    def __str__(self) -> str:
        return self.topic

    @classmethod
    def tell(cls, topic: str, **body: Any) -> Outbox:
        return cls.objects.create(topic=topic, body=body)
