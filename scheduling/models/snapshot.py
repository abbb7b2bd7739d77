"""What decisions saw, kept once for many: the hosts, what was used of them, and the rules."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class Snapshot(models.Model):
    """Immutable. ``stock`` and ``rules`` are named by their content; a ``load`` is based on a stock (``basis``)."""

    class Kind(models.TextChoices):
        STOCK = "stock"  # hosts with their facts, zones, aggregates and capacity
        LOAD = "load"  # what was used of a stock, who was up
        RULES = "rules"  # filters, weighers and weights

    id = models.CharField(primary_key=True, max_length=32)
    kind = models.CharField(max_length=8, choices=Kind)
    basis = models.CharField(max_length=32, blank=True)
    data = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now())  # of a stock or rules: when last taken up

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"
