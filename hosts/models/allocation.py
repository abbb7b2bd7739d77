"""Who holds how much of what on which host. ``used`` of an inventory is always the sum of these."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from hosts.models.host import Host


class Allocation(models.Model):
    """``consumer_kind`` is ``instance``, or ``move`` for the side that a move still holds."""

    consumer_id = models.CharField(max_length=64)
    consumer_kind = models.CharField(max_length=16, default="instance")
    host = models.ForeignKey(Host, on_delete=models.PROTECT, related_name="allocations")
    resource_class = models.CharField(max_length=255)
    amount = models.BigIntegerField()
    project_id = models.CharField(max_length=64, blank=True)
    user_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["consumer_id", "consumer_kind", "host", "resource_class"], name="one_allocation_per_consumer"
            ),
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="allocation_amount_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.resource_class} for {self.consumer_id}"
