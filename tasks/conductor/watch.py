"""Rows against reality, one host at a time: what it sees is recorded, and what differs is settled by an operation."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from computecloud.conf import conf
from computecloud.core.actor import SYSTEM
from hosts.drivers.specs import PowerState
from hosts.models import Oddity
from instances.actions.power import Start
from instances.models import Instance, Move
from instances.spec import underlay_peers
from instances.states import VmState
from integrations.networks import facade as networks
from operations.models import Event
from operations.models.operation import later
from tasks.conductor import adoption, oddities, wire

RUNS = frozenset({VmState.ACTIVE.value, VmState.PAUSED.value})
BY_ITSELF = {
    (VmState.STOPPED, PowerState.RUNNING): VmState.ACTIVE,
    (VmState.PAUSED, PowerState.RUNNING): VmState.ACTIVE,
    (VmState.SUSPENDED, PowerState.RUNNING): VmState.ACTIVE,
    (VmState.ACTIVE, PowerState.PAUSED): VmState.PAUSED,
}
OFF = frozenset({PowerState.SHUTDOWN, PowerState.CRASHED, PowerState.NOSTATE})


def observe(asked: wire.Observe) -> wire.ObserveAnswer:
    """Record what the host sees of each server it owns; answer which leftovers have no right to be there."""
    look_again = False
    if conf().restoring:
        adoption.follow(asked)
    else:
        look_again = _settle_all(asked)
    _note_removals(asked)
    return _judge(asked, look_again)


def _settle_all(asked: wire.Observe) -> bool:
    """Whether some row changed after the host had begun to look: what it saw may be older, and says nothing."""
    seen = {guest.id: guest for guest in asked.guests}
    idle = Instance.objects.alive().filter(host_id=asked.host_id, open_operation__isnull=True)
    # One query says both: between two, a verb could end whose server would then be judged by what was seen before.
    for instance in idle.filter(updated_at__lt=later(-asked.age_s)):
        guest = seen.get(instance.id)
        power = PowerState(guest.power) if guest else PowerState.NOSTATE
        if power != instance.observed_power or _went_off(instance, power) or _is_by_itself(instance, power):
            _settle(instance, power, _why_to_start(guest, asked.is_first))
    return idle.filter(updated_at__gte=later(-asked.age_s)).exists()


def _note_removals(asked: wire.Observe) -> None:
    """What the host did with leftovers, kept as events: of their servers, if there are rows of them."""
    ids = [removal.guest_id for removal in asked.removals]
    owners = dict(Instance.objects.filter(id__in=ids).values_list("id", "project_id")) if ids else {}
    for removal in asked.removals:
        Event.note(
            f"server.leftover.{removal.what}",
            "server",
            removal.guest_id,
            project_id=owners.get(removal.guest_id, ""),
            host_id=asked.host_id,
        )


def _went_off(instance: Instance, power: PowerState) -> bool:
    return instance.settled in RUNS and power in OFF


def _is_by_itself(instance: Instance, power: PowerState) -> VmState | None:
    """What a server has become without a verb: its guest runs, or is paused."""
    return BY_ITSELF.get((VmState(instance.settled), power))


def _why_to_start(guest: wire.GuestSeen | None, is_first: bool) -> str:
    """Why a guest that is off and should be on is started again; empty when it went off by itself."""
    if is_first:
        return "the host was restarted"
    return "" if guest else "its definition was gone"


def _settle(instance: Instance, power: PowerState, why_to_start: str) -> None:
    """A guest that went off by itself shows SHUTOFF. One that its host lost is started, if its disks are there."""
    with transaction.atomic():
        if _went_off(instance, power) and why_to_start and instance.power_on:
            _record(instance, observed_power=power.value, settled=VmState.STOPPED.value)
            fresh = Instance.objects.select_related("host").get(id=instance.id)
            Start.accept(SYSTEM, fresh, "", {"reason": why_to_start})
        elif _went_off(instance, power):
            _record(instance, observed_power=power.value, settled=VmState.STOPPED.value, power_on=False)
            Event.note("server.went.off", "server", instance.id, project_id=instance.project_id, power=power.name)
        elif now := _is_by_itself(instance, power):
            _record(instance, observed_power=power.value, settled=now.value, power_on=True)
            kind = "server.came.up" if now == VmState.ACTIVE else "server.was.paused"
            Event.note(kind, "server", instance.id, project_id=instance.project_id, power=power.name)
        else:
            _record(instance, observed_power=power.value)


def _record(instance: Instance, **changes: Any) -> None:
    """Only while no operation is open: a verb under way knows better."""
    Instance.objects.alive().filter(id=instance.id, open_operation__isnull=True).update(
        **instance.cache(None, **changes), observed_at=Now()
    )


def _judge(asked: wire.Observe, look_again: bool) -> wire.ObserveAnswer:
    """A leftover may go when its row says so: deleted, or owned by another host under a newer epoch.

    What no row knows is kept as an oddity and left alone. After a restore nothing goes: a row may be too old to judge.
    """
    suspects = set(asked.leftovers) | {guest.id for guest in asked.guests}
    epochs = {guest.id: guest.epoch for guest in asked.guests}
    rows = {row.id: row for row in Instance.objects.filter(id__in=suspects)} if suspects else {}
    moving = _moving(asked.host_id, suspects - epochs.keys())
    gone, unknown = [], []
    for suspect in suspects:
        row = rows.get(suspect)
        if row is None:
            unknown.append(suspect)
        elif row.deleted_at is None and (row.host_id == asked.host_id or suspect in moving):
            continue
        elif row.deleted_at is not None or row.owner_epoch > epochs.get(suspect, -1) or _is_homeless(row):
            gone.append(wire.Bell(suspect, row.owner_epoch))
    condemned = oddities.record(asked.host_id, _oddities(asked, unknown))
    trusted = not conf().restoring
    return wire.ObserveAnswer(
        gone if trusted else [],
        condemned if trusted else [],
        unknown,
        _peers(asked.host_id),
        look_again=look_again,
        may_reap=trusted,
    )


def _moving(host_id: str, leftovers: set[str]) -> set[str]:
    """Those of which this host keeps the disks, as the old or the new host of a move that is not settled."""
    if not leftovers:
        return set()
    here = Q(source_id=host_id) | Q(dest_id=host_id)
    return set(Move.objects.filter(here, is_open=True, instance__in=leftovers).values_list("instance_id", flat=True))


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
