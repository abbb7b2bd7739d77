"""Hosts coming, staying and being heard: registration, inventory, heartbeat and poll in one call."""

from __future__ import annotations

from dataclasses import asdict

from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now

from computecloud.conf import conf
from computecloud.core.clock import utcnow
from hosts.drivers.specs import HostInventory
from hosts.models import Agent, Host, Inventory
from hosts.models.inventory import NextChange
from hosts.offers import Offer, offers_of
from operations.committing import Committing
from operations.models import Operation
from operations.models.operation import State, host_queue, later
from tasks.conductor import door, wire

MOST_BELLS = 50
REGISTERING = Committing("conductor.register")


def register(agent_id: str, asked: wire.Register) -> None:
    """A process starts to speak for its hosts: its nonce replaces its predecessor's, inventories follow.

    Raises IdentityInUse for a twin (F33): it does not know the nonce of the process that was heard within its lease.
    """
    try:
        _register(agent_id, asked)
    except door.IdentityInUse:
        Agent.objects.filter(id=agent_id).update(twin_seen_at=Now())  # for the doctor; the refusal rolled back the rest
        raise
    door.forget()


def _register(agent_id: str, asked: wire.Register) -> None:
    alive = Host.objects.alive().filter(agent=OuterRef("pk"), lease_expires_at__gt=Now())
    ours = Q(nonce__in=["", *asked.known]) | ~Exists(alive)
    with REGISTERING(asked.hosts[0].id if asked.hosts else ""):
        rows = Agent.objects.filter(ours, id=agent_id)
        if not rows.update(nonce=asked.nonce, version=asked.version, reads=list(asked.reads)):
            raise door.IdentityInUse
        for report in asked.hosts:
            _update_host(report, asked.version)
            _update_inventory(report.id, report.inventory)
        _return_work([report.id for report in asked.hosts])
        # Last, so that no server that began to wait after this moment is refused on a look from before the commit.
        Agent.objects.filter(id=agent_id).update(registered_at=Now())


def _return_work(host_ids: list[str]) -> int:
    """What a former process of these hosts held need not wait for its lease: it is gone, or fenced by attempt."""
    held = Operation.objects.filter(host_id__in=host_ids, state=State.RUNNING).may_try_again(conf().max_attempts)
    return held.update(state=State.PENDING, runner="", lease_until=None, updated_at=Now(), rung_at=None)


def _update_host(report: wire.HostReport, version: str) -> None:
    found = report.inventory
    Host.objects.filter(id=report.id).update(
        lease_epoch=F("lease_epoch") + 1,
        lease_expires_at=later(conf().host_down_after_s),
        last_seen_at=Now(),
        is_draining=False,
        agent_version=version,
        arch=found.arch,
        machine_types=list(found.machine_types),
        hypervisor_type=found.hypervisor_type,
        hypervisor_version=found.hypervisor_version,
        cpu_info=found.cpu_info,
        traits=list(found.traits),
        supported=[list(one) for one in found.supported],
        numa_cells=[asdict(cell) for cell in found.numa_cells],
        metrics=found.metrics,
        disk_free_gb=found.disk_free_gb,
        running_vms=found.running_vms,
        underlay_address=report.underlay_address,
        updated_at=Now(),
        changed_at=Now(),
    )


def _update_inventory(host_id: str, found: HostInventory) -> None:
    """Totals as reported, 0 for what is not there any more; ``used`` stays, it belongs to the claims."""
    offers = offers_of(found)
    known = {offer.resource_class for offer in offers}
    gone = Inventory.objects.filter(host_id=host_id, total__gt=0).exclude(resource_class__in=known)
    offers += [Offer(name, 0) for name in gone.values_list("resource_class", flat=True)]
    for offer in offers:
        capacity = Inventory.capacity_of(offer.total, offer.reserved, offer.ratio)
        total, reserved, ratio, name = offer.total, offer.reserved, offer.ratio, offer.resource_class
        facts = {"total": total, "reserved": reserved, "ratio": ratio, "capacity": capacity}
        rows = Inventory.objects.filter(host_id=host_id, resource_class=name)
        if rows.filter(total=total, reserved=reserved, ratio=ratio).exists():
            continue
        if not rows.update(generation=F("generation") + 1, change=NextChange(), **facts):
            Inventory.objects.create(host_id=host_id, resource_class=name, change=NextChange(), **facts)


def beat(agent_id: str, asked: wire.Beat) -> wire.BeatAnswer:
    """Extend the leases of sound hosts and say what waits for them. Raises StaleAgent for an older twin."""
    agent = Agent.objects.filter(id=agent_id, nonce=asked.nonce).only("reads").first()
    if agent is None:
        raise door.StaleAgent
    sound = [host.id for host in asked.hosts if host.is_sound]
    skew_s = round(asked.clock - utcnow().timestamp(), 1) if asked.clock is not None else 0.0
    Host.objects.filter(id__in=sound).update(
        lease_expires_at=later(conf().host_down_after_s), last_seen_at=Now(), clock_skew_s=skew_s
    )
    if asked.heard:
        Host.objects.filter(id__in=asked.heard).update(consumer_seen_at=Now())
    if asked.is_leaving:
        theirs = Host.objects.filter(id__in=sound, is_draining=False, agent__nonce=asked.nonce)  # no later process's
        theirs.update(is_draining=True, changed_at=Now())
    if len(asked.hosts) == 1:
        host = asked.hosts[0]
        Host.objects.filter(id=host.id).update(disk_free_gb=host.disk_free_gb, running_vms=host.running_vms)
    return wire.BeatAnswer([] if asked.is_leaving else _waiting(sound, agent.reads))


def _waiting(host_ids: list[str], reads: list[int]) -> list[wire.Bell]:
    rows = (
        Operation.objects.runnable()
        .filter(
            queue__in=[host_queue(host_id) for host_id in host_ids], state=State.PENDING, updated_at__lt=later(-1.0)
        )
        .filter(schema_version__in=reads)
        .order_by("created_at")[:MOST_BELLS]
    )
    return [wire.Bell(row.id, row.attempt, row.task_name) for row in rows]
