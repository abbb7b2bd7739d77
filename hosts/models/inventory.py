"""What a host offers of each resource class, and how much of it is claimed."""

from __future__ import annotations

from typing import Any

from django.db import models

from hosts.models.host import Host
from hosts.resource_classes import DISK_GB, MEMORY_MB, VCPU
from operations import sql

__all__ = ["DISK_GB", "MEMORY_MB", "VCPU", "Inventory", "NextChange"]


class NextChange(models.Func):
    """The change number of a row that is written now: readers who ask from a number on miss no commit.

    PostgreSQL: the transaction's own number; a reader asks from the oldest one that is still open. SQLite: one more
    than the highest, since writers come one after the other there.
    """

    output_field = models.BigIntegerField()

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, tuple[Any, ...]]:
        return sql.CHANGE["postgresql"], ()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, tuple[Any, ...]]:
        return sql.CHANGE["sqlite"], ()



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
    consumers = models.BigIntegerField(default=0)  # how many hold some of it
    change = models.BigIntegerField(default=0, db_index=True)  # see NextChange

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
