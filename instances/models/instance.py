"""The server row: intent, ownership, observation, and the cache of what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any, Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from computecloud.core.actor import Actor
from computecloud.core.ids import new_uuid
from hosts.drivers.specs import PowerState
from hosts.models import Host
from instances.states import VmState, view
from operations.models.operation import CONTROL, Operation
from scheduling import wishes
from scheduling.wishes import Wishes

FLAVOR = ("flavor_id", "flavor_name", "vcpus", "ram_mb", "disk_gb", "ephemeral_gb", "swap_mb", "extra_specs")
"""Columns that are a server's flavor."""


class InstanceQuerySet(models.QuerySet["Instance"]):
    def for_actor(self, actor: Actor) -> Self:
        """Own project's servers; every project's for an administrator."""
        return self if actor.is_admin else self.filter(project_id=actor.project_id or "-")

    def for_project(self, project_id: str) -> Self:
        return self.filter(project_id=project_id)

    def alive(self) -> Self:
        return self.filter(deleted_at__isnull=True)

    def counted(self) -> Self:
        """Living servers that count against their project's quota."""
        return self.alive().filter(soft_deleted_at__isnull=True)

    def on(self, host_id: str) -> Self:
        """Servers that a host owns."""
        return self.filter(host_id=host_id)


class Instance(models.Model):
    """A server. ``settled`` is where the last finished operation left it; ``open_operation`` is the one under way.

    Intent: ``power_on``, the flavor's figures, image, networks. Ownership: ``host``, ``owner_epoch``. Observation:
    ``observed_*``, written by the conductor only. ``vm_state``, ``task_state``, ``power_state``, ``status``: the cache.
    """

    id = models.CharField(primary_key=True, max_length=36, default=new_uuid, editable=False)
    project_id = models.CharField(max_length=64)
    user_id = models.CharField(max_length=64)
    name = models.CharField(max_length=255)
    description = models.CharField(max_length=255, null=True, blank=True)
    hostname = models.CharField(max_length=255)
    reservation_id = models.CharField(max_length=32, blank=True)
    launch_index = models.IntegerField(default=0)

    flavor_id = models.CharField(max_length=255)
    flavor_name = models.CharField(max_length=255)
    vcpus = models.IntegerField()
    ram_mb = models.IntegerField()
    disk_gb = models.IntegerField()
    ephemeral_gb = models.IntegerField(default=0)
    swap_mb = models.IntegerField(default=0)
    extra_specs = models.JSONField(default=dict, blank=True)

    image_id = models.CharField(max_length=64, blank=True)
    image_properties = models.JSONField(default=dict, blank=True)
    shelved_image_id = models.CharField(max_length=64, blank=True, default="")  # what it will be made of again
    key_name = models.CharField(max_length=255, null=True, blank=True)
    public_key = models.TextField(blank=True)
    encrypted_password = models.TextField(blank=True, default="")  # by that key, in base64; set by its host
    user_data = models.TextField(null=True, blank=True)  # base64, as it came
    config_drive = models.BooleanField(default=False)
    disk_config = models.CharField(max_length=8, default="MANUAL")
    metadata = models.JSONField(default=dict, blank=True)
    access_ip_v4 = models.CharField(max_length=39, blank=True)
    access_ip_v6 = models.CharField(max_length=39, blank=True)
    locked_by = models.CharField(max_length=8, blank=True)  # "", owner, admin
    locked_reason = models.CharField(max_length=255, null=True, blank=True)
    pinned_zone = models.CharField(max_length=255, null=True, blank=True)  # asked for at create
    availability_zone = models.CharField(max_length=255, blank=True)
    scheduler_hints = models.JSONField(default=dict, blank=True)
    server_group_id = models.CharField(max_length=36, null=True, blank=True)
    trusted_image_certificates = models.JSONField(null=True, blank=True)
    network_wishes = models.JSONField(default=list, blank=True)  # what was asked for, resolved
    network_info = models.JSONField(default=list, blank=True)  # cache of its ports, as the Network service has them
    security_groups = models.JSONField(default=list, blank=True)  # names asked for at create
    block_devices = models.JSONField(default=list, blank=True)
    root_device_name = models.CharField(max_length=32, default="/dev/vda")

    host = models.ForeignKey(Host, null=True, blank=True, on_delete=models.PROTECT, related_name="instances")
    owner_epoch = models.IntegerField(default=0)
    power_on = models.BooleanField(default=True)
    settled = models.CharField(max_length=32, default=VmState.BUILDING.value)
    open_operation = models.CharField(max_length=36, null=True, blank=True)
    observed_power = models.SmallIntegerField(default=PowerState.NOSTATE.value)
    observed_at = models.DateTimeField(null=True, blank=True)

    vm_state = models.CharField(max_length=32, default=VmState.BUILDING.value)
    task_state = models.CharField(max_length=32, null=True, blank=True)
    power_state = models.SmallIntegerField(default=0)
    status = models.CharField(max_length=24, default="BUILD")

    fault_code = models.IntegerField(null=True, blank=True)
    fault_message = models.CharField(max_length=255, blank=True)
    fault_details = models.TextField(blank=True)
    fault_at = models.DateTimeField(null=True, blank=True)

    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    launched_at = models.DateTimeField(null=True, blank=True)
    terminated_at = models.DateTimeField(null=True, blank=True)
    soft_deleted_at = models.DateTimeField(null=True, blank=True)  # since then it counts against nobody's quota
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = InstanceQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-id")
        indexes = [
            models.Index(
                fields=["project_id", "-created_at", "-id"], condition=Q(deleted_at__isnull=True), name="server_list"
            ),
            models.Index(fields=["host"], condition=Q(deleted_at__isnull=True), name="server_host"),
            models.Index(fields=["-created_at", "-id"], condition=Q(deleted_at__isnull=True), name="server_list_all"),
            models.Index(fields=["updated_at"], name="server_changed"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_locked(self) -> bool:
        return bool(self.locked_by)

    @property
    def is_error(self) -> bool:
        return self.settled == VmState.ERROR

    def is_seen_by(self, actor: Actor) -> bool:
        """``for_actor()`` for one row."""
        return actor.is_admin or self.project_id == (actor.project_id or "-")

    def flavor(self) -> dict[str, Any]:
        """Its flavor, as columns."""
        return {name: getattr(self, name) for name in FLAVOR}

    def with_flavor(self, flavor: Mapping[str, Any]) -> Instance:
        """It as it would be with another flavor; the row stays as it is."""
        other = copy(self)
        for name in FLAVOR:
            setattr(other, name, flavor[name])
        return other

    def wishes(self) -> Wishes:
        """What it asks of a host: its flavor's figures, extra specs and its image's properties."""
        disk = self.disk_gb + self.ephemeral_gb + -(-self.swap_mb // 1024)
        return wishes.read(self.vcpus, self.ram_mb, disk, self.extra_specs, self.image_properties)

    def claims(self) -> dict[str, int]:
        """What a host must have for it, by resource class, beside NUMA cells. Zero amounts are left out."""
        return self.wishes().resources

    def quota(self) -> dict[str, int]:
        """What it counts against its project's quota."""
        return {"instances": 1, "cores": self.vcpus, "ram_mb": self.ram_mb}

    def cache(self, verb: str | None = None, phase: str = "", **changes: Any) -> dict[str, Any]:
        """Columns for an UPDATE: the changes, and the state words that follow from them and the open operation."""
        settled = VmState(changes.get("settled", self.settled))
        observed = PowerState(changes.get("observed_power", self.observed_power))
        return {**changes, **view(settled, verb, phase, observed).columns(), "updated_at": Now()}

    def cache_for(self, operation: Operation | None, **changes: Any) -> dict[str, Any]:
        """As ``cache``, for an operation row."""
        if operation is None:
            return self.cache(None, **changes)
        return self.cache(operation.verb, phase_of(operation), **changes)


def phase_of(operation: Operation) -> str:
    """The phase of the state table: what a move is at, ``hard`` for a hard reboot, else ``control`` or ``host``."""
    if "phase" in operation.args:
        return str(operation.args["phase"])
    if operation.verb == "reboot":
        return "hard" if operation.args.get("type") == "HARD" else ""
    return "control" if operation.queue == CONTROL else "host"


class InstanceTag(models.Model):
    """One tag of a server."""

    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="tags")
    tag = models.CharField(max_length=60)

    class Meta:
        ordering = ("tag",)
        constraints = [models.UniqueConstraint(fields=["instance", "tag"], name="tag_once_per_server")]
        indexes = [models.Index(fields=["tag"], name="server_tag")]

    def __str__(self) -> str:
        return self.tag
