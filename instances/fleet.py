"""The machines as Nova's operator calls name them: zones, services, hypervisors. Read from ``hosts``, changed there.

The parts of the control plane are rows here too, with what can be observed of them: the scheduler is down while work
waits for it unduly, the conductor while no living host reaches it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from django.db import transaction
from django.db.models import Q, QuerySet, Subquery
from django.db.models.functions import Now

from computecloud.conf import conf
from computecloud.core.clock import utcnow
from computecloud.core.errors import Conflict, Invalid, NotFound
from hosts import enrolment
from hosts.models import DISK_GB, MEMORY_MB, VCPU, Aggregate, AggregateHost, Allocation, Host, Inventory
from hosts.models.inventory import NextChange
from instances.models.instance import Instance
from operations.models import Event, Operation
from operations.models.operation import CONTROL, later

COMPUTE, SCHEDULER, CONDUCTOR = "nova-compute", "nova-scheduler", "nova-conductor"
INTERNAL_ZONE = "internal"
CONTROL_HOST = "control"
CONTROL_NUMBERS = {SCHEDULER: 2_000_000_001, CONDUCTOR: 2_000_000_002}
UNDULY_S = 60.0


class ServiceNotFound(NotFound):
    message = "Service {service_id} could not be found."


class HostBinaryNotFound(NotFound):
    message = "Could not find binary {binary} on host {host}."


class HostNotFound(NotFound):
    message = "Compute host {host} could not be found."


class NotACompute(Invalid):
    message = "Updating a {binary} service is not supported. Only nova-compute services can be updated."


class ServiceHasServers(Conflict):
    message = "Unable to delete compute service that is hosting instances. Migrate or delete the instances first."


@dataclass(frozen=True, slots=True)
class Service:
    """One service of the cloud. ``number`` is its id until 2.52, ``uuid`` from 2.53; a compute's are its host's."""

    number: int
    uuid: str
    binary: str
    host: str
    zone: str
    is_up: bool
    is_disabled: bool = False
    disabled_reason: str | None = None
    is_forced_down: bool = False
    updated_at: datetime | None = None

    @property
    def topic(self) -> str:
        return self.binary.removeprefix("nova-")


def living() -> QuerySet[Host]:
    """Hosts that are enrolled, with their liveness, in the order they came."""
    return Host.objects.alive().with_liveness().order_by("number")


def zone_by_host() -> dict[str, str]:
    """Host id → zone, for hosts in an aggregate with a zone; the others are in the default zone."""
    members = AggregateHost.objects.filter(aggregate__availability_zone__isnull=False)
    rows = members.values_list("host_id", "aggregate__availability_zone")
    return {host_id: zone for host_id, zone in rows if zone}


def zone_of(*, id: str | None = None, name: str | None = None) -> str:
    """The zone of the host with that id or name."""
    host = Q(hosts__id=id) if id else Q(hosts__name=name)
    rows = Aggregate.objects.filter(host, availability_zone__isnull=False)
    return rows.values_list("availability_zone", flat=True).first() or conf().default_availability_zone


def require_host(name: str) -> None:
    """Raises Invalid when a request names a host that is not there."""
    if not Host.objects.alive().filter(name=name).exists():
        raise Invalid(f"Compute host {name} could not be found.")


def _compute(host: Host, zones: Mapping[str, str]) -> Service:
    return Service(
        number=host.number,
        uuid=host.pk,
        binary=COMPUTE,
        host=host.name,
        zone=zones.get(host.pk, conf().default_availability_zone),
        is_up=host.is_up,
        is_disabled=host.is_disabled,
        disabled_reason=host.disabled_reason or None,
        is_forced_down=host.is_forced_down,
        updated_at=host.last_seen_at,
    )


def _is_scheduling() -> bool:
    """Nothing has waited for the control worker longer than is due."""
    return not Operation.objects.runnable().filter(queue=CONTROL, updated_at__lt=later(-UNDULY_S)).exists()


def _control(hosts: Iterable[Host]) -> list[Service]:
    known = list(hosts)
    up = {SCHEDULER: _is_scheduling(), CONDUCTOR: not known or any(getattr(host, "is_fresh", False) for host in known)}
    return [
        Service(
            number=number,
            uuid=str(uuid5(NAMESPACE_URL, f"computecloud/{binary}")),
            binary=binary,
            host=CONTROL_HOST,
            zone=INTERNAL_ZONE,
            is_up=up[binary],
            updated_at=utcnow().replace(microsecond=0) if up[binary] else None,
        )
        for binary, number in CONTROL_NUMBERS.items()
    ]


def services() -> list[Service]:
    """Every service: the control plane's, then one compute service for each host."""
    hosts = list(living())
    zones = zone_by_host()
    return _control(hosts) + [_compute(host, zones) for host in hosts]


def service(service_id: str, *, by_uuid: bool) -> Service:
    """One service. Raises ServiceNotFound."""
    for found in services():
        if service_id == (found.uuid if by_uuid else str(found.number)):
            return found
    raise ServiceNotFound(service_id=service_id)


def change_compute(host_name: str, binary: str, **changes: Any) -> None:
    """Write to a compute service: ``is_disabled``, ``disabled_reason``, ``is_forced_down``.

    Raises NotACompute, HostBinaryNotFound.
    """
    if binary != COMPUTE:
        raise NotACompute(binary=binary)
    row = Host.objects.alive().filter(name=host_name)
    if not row.update(changed_at=Now(), updated_at=Now(), **changes):
        raise HostBinaryNotFound(binary=binary, host=host_name)


def remove_compute(found: Service) -> None:
    """Take a host out of the cloud: its service, its memberships, its place among the resource providers, its agent's
    credential, its user and queues at the broker.

    Its row stays for the history of servers, under another name. Raises NotACompute, ServiceHasServers.
    """
    if found.binary != COMPUTE:
        raise NotACompute(binary=found.binary)
    with transaction.atomic():
        Host.objects.filter(pk=found.uuid).update(is_disabled=True, changed_at=Now())  # holds the row
        held = Allocation.objects.filter(host_id=found.uuid).exists()
        if held or Instance.objects.alive().on(found.uuid).exists():
            raise ServiceHasServers
        AggregateHost.objects.filter(host_id=found.uuid).delete()
        _remove_inventories(found.uuid)
        name = f"{found.host[:240]}~{found.uuid[:8]}"
        Host.objects.filter(pk=found.uuid).update(
            deleted_at=Now(), name=name, lease_expires_at=None, underlay_address=None, changed_at=Now()
        )
        agent_id = Host.objects.values_list("agent_id", flat=True).get(pk=found.uuid)
        Event.note("host.removed", "host", found.uuid, name=found.host)
        enrolment.retire_if_alone(agent_id, [found.uuid])


def _remove_inventories(host_id: str) -> None:
    """Change numbers go on from the highest there is: a row that stays takes it over from those that go, or readers
    would miss the next changes of others."""
    Inventory.objects.filter(
        pk=Subquery(Inventory.objects.exclude(host_id=host_id).order_by("pk").values("pk")[:1])
    ).update(change=NextChange())
    Inventory.objects.filter(host_id=host_id).delete()


def find_host(name: str) -> Host:
    """A living host by name. Raises HostNotFound."""
    host = living().filter(name=name).first()
    if host is None:
        raise HostNotFound(host=name)
    return host


# --- zones


def zone_names(found: Iterable[Service]) -> tuple[list[str], list[str]]:
    """Zones with an enabled service, and zones with none: available and not, each sorted."""
    rows = list(found)
    available = {row.zone for row in rows if not row.is_disabled}
    return sorted(available), sorted({row.zone for row in rows} - available)


# --- what hosts have


@dataclass(frozen=True, slots=True)
class Figures:
    """What a host has and what is taken; reserved memory and disk count as taken, as Nova counts."""

    vcpus: int = 0
    vcpus_used: int = 0
    ram_mb: int = 0
    ram_mb_used: int = 0
    disk_gb: int = 0
    disk_gb_used: int = 0

    @property
    def ram_mb_free(self) -> int:
        return self.ram_mb - self.ram_mb_used

    @property
    def disk_gb_free(self) -> int:
        return self.disk_gb - self.disk_gb_used


def figures_of(host_ids: Iterable[str]) -> dict[str, Figures]:
    """Figures of hosts, by host id. One query."""
    rows = Inventory.objects.filter(host_id__in=list(host_ids), resource_class__in=(VCPU, MEMORY_MB, DISK_GB))
    words = {VCPU: ("vcpus", "vcpus_used"), MEMORY_MB: ("ram_mb", "ram_mb_used"), DISK_GB: ("disk_gb", "disk_gb_used")}
    facts: dict[str, dict[str, int]] = {}
    for host_id, kind, total, reserved, used in rows.values_list(
        "host_id", "resource_class", "total", "reserved", "used"
    ):
        has, takes = words[kind]
        facts.setdefault(host_id, {}).update({has: total, takes: used + (0 if kind == VCPU else reserved)})
    return {host_id: Figures(**numbers) for host_id, numbers in facts.items()}


def servers_on(host_ids: Iterable[str]) -> dict[str, list[dict[str, str]]]:
    """``{"name", "uuid"}`` of the servers on hosts, by host id. One query."""
    found: dict[str, list[dict[str, str]]] = {host_id: [] for host_id in host_ids}
    rows = Instance.objects.alive().filter(host_id__in=list(found)).order_by("created_at", "pk")
    for host_id, name, instance_id in rows.values_list("host_id", "name", "pk"):
        found[str(host_id)].append({"name": name, "uuid": instance_id})
    return found
