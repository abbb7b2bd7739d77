"""Rows against reality, one host at a time: what it sees is recorded, and what differs is settled by an operation."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from computecloud.conf import conf
from computecloud.core.actor import SYSTEM
from hosts.drivers.specs import PowerState
from hosts.models import Oddity
from instances.actions.power import Start
from instances.models import Instance
from instances.spec import underlay_peers
from instances.states import VmState
from integrations.networks import facade as networks
from operations.models import Event
from tasks.conductor import adoption, oddities, wire

RUNS = frozenset({VmState.ACTIVE.value, VmState.PAUSED.value})
OFF = frozenset({PowerState.SHUTDOWN, PowerState.CRASHED, PowerState.NOSTATE})


def observe(asked: wire.Observe) -> wire.ObserveAnswer:
    """Record what the host sees of each server it owns; answer which leftovers have no right to be there."""
    if conf().restoring:
        adoption.follow(asked)
    else:
        _settle_all(asked)
    return _judge(asked)


def _settle_all(asked: wire.Observe) -> None:
    seen = {guest.id: guest for guest in asked.guests}
    for instance in Instance.objects.alive().filter(host_id=asked.host_id, open_operation__isnull=True):
        guest = seen.get(instance.id)
        power = PowerState(guest.power) if guest else PowerState.NOSTATE
        if power != instance.observed_power or _differs(instance, power):
            _settle(instance, power, asked.is_first)


def _differs(instance: Instance, power: PowerState) -> bool:
    return instance.settled in RUNS and power in OFF


def _settle(instance: Instance, power: PowerState, is_first: bool) -> None:
    """A guest that went off by itself shows SHUTOFF; after the host's own restart it is started again."""
    with transaction.atomic():
        if _differs(instance, power) and is_first and instance.power_on:
            _record(instance, observed_power=power.value, settled=VmState.STOPPED.value)
            fresh = Instance.objects.select_related("host").get(id=instance.id)
            Start.accept(SYSTEM, fresh, "", {"reason": "the host was restarted"})
        elif _differs(instance, power):
            _record(instance, observed_power=power.value, settled=VmState.STOPPED.value, power_on=False)
            Event.note("server.went.off", "server", instance.id, project_id=instance.project_id, power=power.name)
        elif instance.settled == VmState.STOPPED.value and power == PowerState.RUNNING:
            _record(instance, observed_power=power.value, settled=VmState.ACTIVE.value, power_on=True)
            Event.note("server.came.up", "server", instance.id, project_id=instance.project_id, power=power.name)
        else:
            _record(instance, observed_power=power.value)


def _record(instance: Instance, **changes: Any) -> None:
    """Only while no operation is open: a verb under way knows better."""
    Instance.objects.alive().filter(id=instance.id, open_operation__isnull=True).update(
        **instance.cache(None, **changes), observed_at=Now()
    )


def _judge(asked: wire.Observe) -> wire.ObserveAnswer:
    """A leftover may go when its row says so: deleted, or owned by another host under a newer epoch.

    What no row knows is kept as an oddity and left alone. After a restore nothing goes: a row may be too old to judge.
    """
    suspects = set(asked.leftovers) | {guest.id for guest in asked.guests}
    epochs = {guest.id: guest.epoch for guest in asked.guests}
    rows = {row.id: row for row in Instance.objects.filter(id__in=suspects)} if suspects else {}
    gone, unknown = [], []
    for suspect in suspects:
        row = rows.get(suspect)
        if row is None:
            unknown.append(suspect)
        elif row.host_id == asked.host_id and row.deleted_at is None:
            continue
        elif row.deleted_at is not None or row.owner_epoch > epochs.get(suspect, -1) or _is_homeless(row):
            gone.append(wire.Bell(suspect, row.owner_epoch))
    condemned = oddities.record(asked.host_id, _oddities(asked, unknown))
    return wire.ObserveAnswer([] if conf().restoring else gone + condemned, unknown, _peers(asked.host_id))


def _oddities(asked: wire.Observe, unknown: list[str]) -> oddities.Seen:
    """Guests that no row knows, and idle servers that lost a disk: a verb under way makes and removes disks."""
    powers = {guest.id: PowerState(guest.power).name.lower() for guest in asked.guests}
    found = {(Oddity.Kind.UNKNOWN_GUEST.value, guest): powers.get(guest, "no domain") for guest in unknown}
    if asked.lost_disks:
        idle = Instance.objects.alive().filter(host_id=asked.host_id, open_operation__isnull=True)
        for server_id in idle.filter(id__in=asked.lost_disks).values_list("id", flat=True):
            found[Oddity.Kind.LOST_DISK.value, server_id] = asked.lost_disks[server_id]
    return found


def _is_homeless(row: Instance) -> bool:
    """It has no host and none is being found: nothing of it may be anywhere."""
    return row.host_id is None and row.open_operation is None


def _peers(host_id: str) -> dict[str, list[str]]:
    """Every other host is a peer of every network that this one carries: a guest may appear there at any moment."""
    others = [str(address) for address in underlay_peers(host_id)]
    if not others:
        return {}
    return {network.network_id: others for network in networks.host_networks(host_id)}
