"""A compute host: its identity is its UUID, its name a label; alive as long as its lease lasts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import models
from django.db.models.functions import Now

from computecloud.core.ids import new_uuid
from hosts.models.agent import Agent
from operations import sql

if TYPE_CHECKING:
    from hosts.models.inventory import Inventory


PRESENCE = """SELECT id, name, lease_expires_at IS NOT NULL AND lease_expires_at > {now} AND NOT is_forced_down
              FROM hosts_host WHERE id = %s"""


@dataclass(frozen=True, slots=True)
class Presence:
    """What dispatch must know of a host."""

    id: str
    name: str
    is_up: bool


def presence(host_id: str) -> Presence | None:
    """A host's name and whether it is up, by one plain statement: ``Host.is_up`` for the hot path."""
    for found, name, is_up in sql.rows(PRESENCE, (host_id,)):
        return Presence(found, name, bool(is_up))
    return None


class HostQuerySet(models.QuerySet["Host"]):
    def alive(self) -> HostQuerySet:
        """Enrolled and not removed."""
        return self.filter(deleted_at__isnull=True)

    def with_liveness(self) -> HostQuerySet:
        """Adds ``is_fresh``: heard within its lease, by the database's clock."""
        fresh = models.Case(
            models.When(lease_expires_at__gt=Now(), then=models.Value(True)),
            default=models.Value(False),
            output_field=models.BooleanField(),
        )
        return self.annotate(is_fresh=fresh)


class Host(models.Model):
    """``is_up`` needs ``with_liveness()``; clocks of hosts are never compared."""

    id = models.CharField(primary_key=True, max_length=36, default=new_uuid, editable=False)
    name = models.CharField(max_length=255, unique=True)
    number = models.IntegerField(unique=True)  # Nova's integer id of services and hypervisors
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="hosts")
    driver = models.CharField(max_length=32)

    is_disabled = models.BooleanField(default=False)
    disabled_reason = models.CharField(max_length=255, blank=True)
    is_forced_down = models.BooleanField(default=False)
    is_draining = models.BooleanField(default=False)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    lease_epoch = models.IntegerField(default=0)
    last_seen_at = models.DateTimeField(null=True, blank=True)
    consumer_seen_at = models.DateTimeField(null=True, blank=True)  # answered the canary on its queue

    arch = models.CharField(max_length=32, default="x86_64")
    machine_types = models.JSONField(default=list, blank=True)
    supported = models.JSONField(default=list, blank=True)  # [architecture, hypervisor, mode] of guests it can run
    hypervisor_type = models.CharField(max_length=32, blank=True)
    hypervisor_version = models.BigIntegerField(default=0)
    cpu_info = models.JSONField(default=dict, blank=True)
    traits = models.JSONField(default=list, blank=True)
    underlay_address = models.GenericIPAddressField(null=True, blank=True)
    disk_free_gb = models.IntegerField(default=0)
    running_vms = models.IntegerField(default=0)
    numa_cells = models.JSONField(default=list, blank=True)  # as the host reports them: see ``specs.NumaCell``
    metrics = models.JSONField(default=dict, blank=True)  # name → number, as the host reports them
    failed_builds = models.IntegerField(default=0)  # servers that could not be built here since the last that was
    agent_version = models.CharField(max_length=32, blank=True)
    clock_skew_s = models.FloatField(default=0.0)  # its time of day less the conductor's; nothing is decided by it

    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now(), db_index=True)  # anything the scheduler looks at
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = HostQuerySet.as_manager()
    inventories: models.Manager[Inventory]

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def is_up(self) -> bool:
        """Heard of lately and not forced down. Read through ``with_liveness()``."""
        return bool(getattr(self, "is_fresh", False)) and not self.is_forced_down
