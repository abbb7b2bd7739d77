"""How many more servers of each flavor fit: on the hosts, per zone, and for members within their quota."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from computecloud.core.actor import Actor
from computecloud.core.errors import Invalid
from instances import quotas
from instances.actions.create import Create, CreateRequest, FlavorSnapshot
from instances.placement import to_request
from operations.models import Operation
from scheduling import configuration, suppositions
from scheduling.room import room
from scheduling.suppositions import Fleet
from scheduling.table import HostTable


@dataclass(frozen=True, slots=True)
class ZoneRoom:
    zone: str
    fits: int


@dataclass(frozen=True, slots=True)
class FlavorRoom:
    """``fits``: so many more servers of this flavor and no other. ``within_quota`` null: not bounded by one.

    ``problem``: why no server of this flavor is accepted at all.
    """

    flavor_id: str
    flavor_name: str
    vcpus: int
    ram_mb: int
    disk_gb: int
    fits: int
    within_quota: int | None
    zones: list[ZoneRoom]
    problem: str | None


def of(actor: Actor, flavors: Iterable[FlavorSnapshot], zone: str | None = None) -> list[FlavorRoom]:
    """For each flavor. Administrators are told of the hosts, members of what their quota leaves of it."""
    table = suppositions.table(Fleet())
    left = None if actor.is_admin else _left(actor)
    return [_of_one(actor, flavor, table, zone, left) for flavor in flavors]


def _left(actor: Actor) -> dict[str, int]:
    """What the quota of project and user leaves; resources without a limit are left out."""
    project_id = actor.project_id or ""
    limits, used = quotas.project_limits(project_id), quotas.in_use(project_id)
    left = {name: limits[name] - used[name] for name in ("instances", "cores", "ram") if limits[name] >= 0}
    own, own_used = quotas.user_limits(project_id, actor.user_id), quotas.in_use(project_id, actor.user_id)
    for name in ("instances", "cores", "ram"):
        if own[name] >= 0:
            left[name] = min(left.get(name, own[name]), own[name] - own_used[name])
    return left


def _of_one(
    actor: Actor, flavor: FlavorSnapshot, table: HostTable, zone: str | None, left: dict[str, int] | None
) -> FlavorRoom:
    try:
        [row] = Create.rows(actor, CreateRequest(name="capacity", flavor=flavor, image=None, availability_zone=zone))
        request = to_request(row, Operation(verb=Create.verb))
    except Invalid as problem:  # its extra specs ask for what is not possible
        return _told(flavor, 0, None, Counter(), str(problem))
    counts = room(table, request, configuration.in_force())
    zones: Counter[str] = Counter()
    for number, name in zip(counts.tolist(), table.zones, strict=True):
        zones[name] += number
    within = None if left is None else _within(flavor, left)
    return _told(flavor, int(counts.sum()), within, zones, None)


def _within(flavor: FlavorSnapshot, left: dict[str, int]) -> int | None:
    """So many the quota allows."""
    amounts = {"instances": 1, "cores": flavor.vcpus, "ram": flavor.ram_mb}
    return min((max(room, 0) // amounts[name] for name, room in left.items() if amounts[name]), default=None)


def _told(
    flavor: FlavorSnapshot, fits: int, within: int | None, zones: Counter[str], problem: str | None
) -> FlavorRoom:
    def bounded(number: int) -> int:
        return number if within is None else min(number, within)

    return FlavorRoom(
        flavor_id=flavor.id,
        flavor_name=flavor.name,
        vcpus=flavor.vcpus,
        ram_mb=flavor.ram_mb,
        disk_gb=flavor.disk_gb,
        fits=bounded(fits),
        within_quota=within,
        zones=[ZoneRoom(name, bounded(number)) for name, number in sorted(zones.items()) if number],
        problem=problem,
    )
