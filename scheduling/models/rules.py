"""Filters and weighers that an administrator put in force at run time. Every row stays: they are the audit."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class RuleSet(models.Model):
    """The highest revision is in force. Null columns: what the settings say.

    The key is what two administrators race for: the second one to write a revision learns of the first.
    """

    revision = models.IntegerField(primary_key=True)
    filters = models.JSONField(null=True)  # names, in order
    weighers = models.JSONField(null=True)  # name → multiplier
    reason = models.CharField(max_length=255, blank=True)
    user_id = models.CharField(max_length=64, blank=True)
    user_name = models.CharField(max_length=255, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("-revision",)

    def __str__(self) -> str:
        return f"revision {self.revision}"
