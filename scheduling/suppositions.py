"""The table of hosts as it would be: some down or back, an aggregate with another ratio. Nothing of it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from computecloud.core.errors import Invalid
from hosts.models import AggregateHost, Inventory
from scheduling import service
from scheduling.table import HostTable


class UnknownHost(Invalid):
    message = "Compute host {name} could not be found."


@dataclass(frozen=True, slots=True)
class Ratio:
    """Another allocation ratio of a resource class, on all hosts of an aggregate (by its name)."""

    aggregate: str
    resource_class: str
    ratio: float


@dataclass(frozen=True, slots=True)
class Fleet:
    """What to suppose of hosts. Names or ids."""

    hosts_down: Sequence[str] = ()
    hosts_up: Sequence[str] = ()
    ratios: Sequence[Ratio] = ()


def table(fleet: Fleet) -> HostTable:
    """A table of one's own, as fresh as the database, under the suppositions. Raises UnknownHost, Invalid."""
    service.TABLE.refresh()
    with service.TABLE.lock:
        found = service.TABLE.table.twin()
    for name in fleet.hosts_down:
        found.up[row_of(found, name)] = False
    for name in fleet.hosts_up:
        row = row_of(found, name)
        found.up[row] = found.enabled[row] = True
    for ratio in fleet.ratios:
        _with_ratio(found, ratio)
    return found


def row_of(found: HostTable, name: str) -> int:
    """By name or id. Raises UnknownHost."""
    row = found.row_named.get(name, found.row_of.get(name))
    if row is None:
        raise UnknownHost(name=name[:120])
    return row


def _with_ratio(found: HostTable, wanted: Ratio) -> None:
    hosts = AggregateHost.objects.filter(aggregate__name=wanted.aggregate).values("host_id")
    rows = Inventory.objects.filter(host_id__in=hosts, resource_class=wanted.resource_class)
    offers = list(rows.values_list("host_id", "total", "reserved"))
    if not offers:
        raise Invalid(f"No host of aggregate {wanted.aggregate[:120]} has any {wanted.resource_class[:120]}.")
    for host_id, total, reserved in offers:
        if host_id in found.row_of:
            capacity = Inventory.capacity_of(total, reserved, wanted.ratio)
            found.capacity[wanted.resource_class][found.row_of[host_id]] = capacity
