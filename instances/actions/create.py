"""Create: the request with its quota and rows, the placement's commit, the steps on the host, and the end of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from django.db.models import F
from django.db.models.functions import Now

from computecloud.core.actor import Actor
from computecloud.core.ids import new_uuid
from hosts.drivers.base import Driver
from hosts.drivers.specs import Step
from hosts.models import Host
from instances.actions.base import ACCEPTING, Action, Order, Report
from instances.models import Instance, InstanceTag
from instances.states import VmState
from integrations.images.facade import Image
from integrations.networks import facade as networks
from integrations.networks.facade import PortPlan
from operations import engine, sealed, sql
from operations.models import Operation, QuotaGate
from operations.models.operation import State
from scheduling import dispatch
from scheduling.claims import Chosen

MOST_HOSTS = 3
BUILDS_AGAIN = "UPDATE hosts_host SET failed_builds = 0, changed_at = {now} WHERE id = %s AND failed_builds > 0"
PORT_PLANS = list[PortPlan]
msgspec.convert([], PORT_PLANS)  # msgspec learns of a type once, and here: not in two threads at the same time


@dataclass(frozen=True, slots=True)
class FlavorSnapshot:
    """A flavor's figures as they are at boot."""

    id: str
    name: str
    vcpus: int
    ram_mb: int
    disk_gb: int
    ephemeral_gb: int = 0
    swap_mb: int = 0
    extra_specs: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CreateRequest:
    """What a client asked for, whatever microversion it spoke: already validated, references resolved."""

    name: str
    flavor: FlavorSnapshot
    image: Image | None
    count: int = 1
    min_count: int = 1
    description: str | None = None
    hostname: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    key_name: str | None = None
    public_key: str = ""
    user_data: str | None = None
    config_drive: bool = False
    disk_config: str = "MANUAL"
    access_ip_v4: str = ""
    access_ip_v6: str = ""
    availability_zone: str | None = None
    forced_host: str | None = None  # a host's name: the scheduler's filters still apply
    forced_node: str | None = None
    security_groups: tuple[str, ...] = ("default",)
    networks: tuple[PortPlan, ...] = ()
    scheduler_hints: dict[str, Any] = field(default_factory=dict)
    server_group_id: str | None = None
    block_devices: tuple[dict[str, Any], ...] = ()
    trusted_image_certificates: list[str] | None = None
    admin_password: str | None = None
    request_key: str | None = None  # the client's own name of this request; see instances.repeats
    request_digest: str = ""


class Create(Action):
    """Build a server: quota and rows now, the rest by the scheduler and a host."""

    verb = "create"
    rule = "os_compute_api:servers:create"

    # --- in the API

    @classmethod
    def submit(
        cls, actor: Actor, wanted: CreateRequest, request_id: str = "", admit: Callable[[], None] | None = None
    ) -> list[Instance]:
        """Accept one server or many, all within quota or none. Raises OverQuota, and what ``admit`` raises, which is
        asked first in the same transaction.
        """
        rows = cls.rows(actor, wanted)
        reservation = f"r-{new_uuid()[:8]}"
        with ACCEPTING():
            if admit is not None:
                admit()
            cls.take_quota(rows)
            first: Operation | None = None
            for row in rows:
                row.reservation_id = reservation
                accepted = cls._accept(actor, row, wanted, request_id, first)
                first = first or accepted
                if wanted.tags:
                    InstanceTag.objects.bulk_create([InstanceTag(instance=row, tag=tag) for tag in wanted.tags])
        return rows

    @classmethod
    def rows(cls, actor: Actor, wanted: CreateRequest) -> list[Instance]:
        """The servers as they will be written."""
        return [cls._row(actor, wanted, number) for number in range(wanted.count)]

    @staticmethod
    def take_quota(rows: Sequence[Instance]) -> None:
        """Count equal servers against their project, in the caller's transaction. Raises OverQuota."""
        QuotaGate.add(rows[0].project_id, {name: n * len(rows) for name, n in rows[0].quota().items()})

    @staticmethod
    def args(wanted: CreateRequest) -> dict[str, Any]:
        """One-shot wishes, which live in the operation."""
        args: dict[str, Any] = {"members": wanted.count} if wanted.count > 1 else {}
        host = wanted.forced_host or wanted.forced_node
        return args | ({"forced_host": host} if host else {})

    @classmethod
    def _row(cls, actor: Actor, wanted: CreateRequest, number: int) -> Instance:
        flavor = wanted.flavor
        many = wanted.count > 1
        name = f"{wanted.name}-{number + 1}" if many else wanted.name
        hostname = wanted.hostname or hostname_of(name)
        return Instance(
            project_id=actor.project_id or "",
            user_id=actor.user_id,
            name=name,
            description=wanted.description,
            hostname=f"{hostname}-{number + 1}" if many and wanted.hostname else hostname,
            launch_index=number,
            flavor_id=flavor.id,
            flavor_name=flavor.name,
            vcpus=flavor.vcpus,
            ram_mb=flavor.ram_mb,
            disk_gb=flavor.disk_gb,
            ephemeral_gb=flavor.ephemeral_gb,
            swap_mb=flavor.swap_mb,
            extra_specs=dict(flavor.extra_specs),
            image_id=wanted.image.id if wanted.image else "",
            image_properties=dict(wanted.image.properties) if wanted.image else {},
            key_name=wanted.key_name,
            public_key=wanted.public_key,
            user_data=wanted.user_data,
            config_drive=wanted.config_drive,
            disk_config=wanted.disk_config,
            metadata=dict(wanted.metadata),
            access_ip_v4=wanted.access_ip_v4,
            access_ip_v6=wanted.access_ip_v6,
            pinned_zone=wanted.availability_zone,
            scheduler_hints=dict(wanted.scheduler_hints),
            server_group_id=wanted.server_group_id,
            trusted_image_certificates=wanted.trusted_image_certificates,
            network_wishes=msgspec.to_builtins(wanted.networks),
            security_groups=list(wanted.security_groups),
            block_devices=list(wanted.block_devices),
            open_operation=new_uuid(),
            task_state="scheduling",
        )

    @classmethod
    def _accept(
        cls, actor: Actor, row: Instance, wanted: CreateRequest, request_id: str, first: Operation | None
    ) -> Operation:
        """``first``: the operation of the request's first server. Its bell is heard for all members, its children."""
        key = wanted.request_key if row.launch_index == 0 else None
        args = cls.args(wanted) | ({"request_digest": wanted.request_digest} if key else {})
        secret = sealed.seal({"admin_password": wanted.admin_password}) if wanted.admin_password else None
        return cls.open(
            actor,
            row,
            request_id,
            id=row.open_operation,
            args=args,
            sealed=secret,
            parent=first,
            ring=first is None,
            request_key=key,
            along=[sql.inserting(row)],
        )

    # --- at the centre: the placement's commit and its refusal

    @classmethod
    def take_host(cls, operation: Operation, instance: Instance, host: Chosen) -> bool:
        """Own the claimed host, in the claim's transaction. False when the operation is no longer ours."""
        epoch = instance.owner_epoch + 1
        changes: dict[str, Any] = {"host_id": host.id, "owner_epoch": epoch, "availability_zone": host.zone}
        if instance.network_wishes:
            changes["network_info"] = msgspec.to_builtins(cls.ports(instance, host))
        guards = {"id": instance.id, "deleted_at": None, "open_operation": operation.id}
        owning = sql.changing(Instance, guards, instance.cache(operation.verb, "host", **changes))
        return dispatch.to_host(operation, host, epoch, along=[owning])

    @staticmethod
    def ports(instance: Instance, host: Chosen) -> list[networks.PortInfo]:
        """The server's ports on this host; those of an earlier try move along (R05)."""
        if instance.network_info:
            return networks.move(instance.id, host.id, host.name)
        server = networks.ServerRef(instance.id, instance.project_id, instance.hostname, host.zone)
        plans = msgspec.convert(instance.network_wishes, PORT_PLANS)
        return networks.allocate(server, plans, instance.security_groups, host.id, host.name)

    @classmethod
    def refuse(cls, operation: Operation, instance: Instance, fault: str, details: str = "", code: int = 500) -> None:
        """No host, none left to try, or out of time: ERROR with a fault; nothing is held but the quota."""
        report = Report("failed", code=code, fault=fault, details=details)
        if engine.close(operation, State.FAILED, fault_code=code, fault=fault, details=details):
            networks.release(instance.id)
            cls.let_go(instance)
            cls.settle(
                operation,
                instance,
                open_operation=None,
                settled=VmState.ERROR.value,
                host_id=None,
                network_info=[],
                **cls.fault(report),
            )

    # --- on the host

    def perform(self, driver: Driver, order: Order) -> Sequence[Step]:
        return driver.spawn(order.need_spec())

    # --- in the conductor

    @classmethod
    def on_success(cls, operation: Operation, instance: Instance) -> dict[str, Any]:
        if instance.network_wishes:
            networks.plugged(instance.id)
        sql.update(BUILDS_AGAIN, (operation.host_id,))
        return {"launched_at": Now(), "fault_code": None}

    @classmethod
    def fail(cls, operation: Operation, instance: Instance, report: Report) -> None:
        """Give back what this host held and let the scheduler try the next one, a few times."""
        tried = [*operation.args.get("tried", []), operation.host_id]
        Host.objects.filter(id=operation.host_id).update(failed_builds=F("failed_builds") + 1, changed_at=Now())
        cls.let_go(instance)
        networks.unplugged(instance.id)
        if len(tried) >= MOST_HOSTS:
            fault = f"Build of instance {instance.id} failed on {len(tried)} hosts: {report.fault}"
            cls.refuse(operation, instance, fault, report.details)
            return
        if dispatch.to_control(
            operation, args={**operation.args, "tried": tried, "last_fault": report.fault[:200]}, details=report.details
        ):
            guards = {"id": instance.id, "open_operation": operation.id}
            sql.change(Instance, guards, instance.cache_for(operation, host_id=None))


def hostname_of(name: str) -> str:
    """A valid host name from a display name: Nova's rules (lower case, letters, digits, dashes, at most 63)."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "-.") else "-" if c in " _" else "" for c in name.lower())
    return kept.replace(".", "-").strip("-")[:63].strip("-") or "server"
