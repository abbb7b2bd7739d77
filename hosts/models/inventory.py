"""What a host offers of each resource class, and how much of it is claimed."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from hosts.models.host import Host
from hosts.resource_classes import DISK_GB, MEMORY_MB, VCPU

__all__ = ["DISK_GB", "MEMORY_MB", "VCPU", "Inventory"]



class Inventory(models.Model):
    """``capacity`` = floor((total - reserved) * ratio), written with them, so that a claim is one UPDATE."""

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="inventories")
    resource_class = models.CharField(max_length=255)
    total = models.BigIntegerField()
    reserved = models.BigIntegerField(default=0)
    ratio = models.FloatField(default=1.0)
    capacity = models.BigIntegerField()
    used = models.BigIntegerField(default=0)
    generation = models.BigIntegerField(default=0)
    changed_at = models.DateTimeField(db_default=Now(), db_index=True)

    class Meta:
        verbose_name_plural = "inventories"
        constraints = [
            models.UniqueConstraint(fields=["host", "resource_class"], name="one_inventory_per_host_and_class"),
            models.CheckConstraint(condition=models.Q(used__gte=0), name="inventory_used_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.resource_class} on {self.host_id}"

    @staticmethod
    def capacity_of(total: int, reserved: int, ratio: float) -> int:
        return int((total - reserved) * ratio + 1e-6)
