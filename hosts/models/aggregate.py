"""Host aggregates: labelled sets of hosts; one with a zone makes an availability zone."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from computecloud.core.ids import new_uuid
from hosts.models.host import Host


class Aggregate(models.Model):
    """``metadata`` includes ``availability_zone`` at the API; here the zone is a column."""

    id = models.AutoField(primary_key=True)
    uuid = models.CharField(max_length=36, unique=True, default=new_uuid)
    name = models.CharField(max_length=255, unique=True)
    availability_zone = models.CharField(max_length=255, null=True, blank=True, db_index=True)
    metadata = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(null=True, blank=True)
    hosts = models.ManyToManyField(Host, through="AggregateHost", related_name="aggregates")

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return self.name


class AggregateHost(models.Model):
    """One host's membership."""

    aggregate = models.ForeignKey(Aggregate, on_delete=models.PROTECT)
    host = models.ForeignKey(Host, on_delete=models.CASCADE)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["aggregate", "host"], name="one_membership_per_host")]

    def __str__(self) -> str:
        return f"{self.host_id} in {self.aggregate_id}"
