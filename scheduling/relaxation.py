"""The smallest changes of a request, or of the fleet, with which it would be placed. Each one was tried on the table.

A change of one thing goes before a change of several. Amounts are made smaller no further than needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scheduling.decisions import acceptances, passing
from scheduling.request import PlacementRequest
from scheduling.rules import Rules
from scheduling.table import Bools, HostTable

WORDS = {
    "VCPU": ("vcpus", "vCPUs", ""),
    "MEMORY_MB": ("ram_mb", "RAM", " MB"),
    "DISK_GB": ("disk_gb", "disk", " GB"),
}
MOST_KEYS = 24  # of image properties and extra specs, each of which is tried


@dataclass(frozen=True, slots=True)
class Change:
    """One thing to change. ``what`` names it (``ram_mb``, ``availability_zone``, ``hint:query``, ...). ``needed`` null:
    drop it. ``by``: the number that is missing."""

    what: str
    now: str | None
    needed: str | None
    text: str
    by: int | None = None


@dataclass(frozen=True, slots=True)
class Remedy:
    """Changes that together are enough. ``hosts``: how many would take the request then."""

    changes: list[Change]
    hosts: int


@dataclass(frozen=True, slots=True)
class _Way:
    change: Change
    request: PlacementRequest
    table: HostTable


def remedies(table: HostTable, request: PlacementRequest, rules: Rules) -> list[Remedy]:
    """For a request that nobody takes: every single change that helps, or else the best pairs and sets of amounts."""
    if not len(table):
        return []
    ways = list(_ways(table, request, rules))
    singles = [Remedy([way.change], count) for way in ways if (count := _count(way.table, way.request, rules))]
    singles += [found for name in request.resources if (found := _smaller(table, request, rules, [name]))]
    if singles:
        return singles
    if smaller := less_of_all(table, request, rules):
        return [smaller]
    before = acceptances(table, request, rules)
    mattering = [way for way in ways if acceptances(way.table, way.request, rules) > before]
    return list(_pairs(mattering, rules))


def less_of_all(table: HostTable, request: PlacementRequest, rules: Rules) -> Remedy | None:
    """As much less of every amount as one host needs: the one that needs least."""
    return _smaller(table, request, rules, list(request.resources))


def _pairs(ways: list[_Way], rules: Rules) -> Iterator[Remedy]:
    """Something dropped and the amounts made smaller, or two things dropped."""
    for way in ways:
        smaller = _smaller(way.table, way.request, rules, list(way.request.resources))
        if smaller:
            yield Remedy([way.change, *smaller.changes], smaller.hosts)
        for other in _ways(way.table, way.request, rules):
            if other.change.what > way.change.what and (count := _count(other.table, other.request, rules)):
                yield Remedy([way.change, other.change], count)


def _count(table: HostTable, request: PlacementRequest, rules: Rules) -> int:
    return int(np.count_nonzero(passing(table, request, rules)))


# --- amounts


def _smaller(table: HostTable, request: PlacementRequest, rules: Rules, names: list[str]) -> Remedy | None:
    """The amounts of some classes as far down as one host needs them; None when that is not enough or nothing of it."""
    if request.cells:
        return None  # a guest with cells of its own divides these amounts: its flavor is another one then
    without = replace(request, resources={name: n for name, n in request.resources.items() if name not in names})
    rows = np.flatnonzero(passing(table, without, rules))
    best: dict[str, int] = {}
    least = np.inf
    for row in rows:
        room = {name: min(request.resources[name], _room(table, name, int(row))) for name in names}
        loss = sum(1 - room[name] / request.resources[name] for name in names)
        if loss < least and all(amount > 0 for amount in room.values()):
            best, least = room, loss
    best = _verified(table, request, rules, best)
    changed = {name: amount for name, amount in best.items() if amount < request.resources[name]}
    if not changed:
        return None
    count = _count(table, _with(request, best), rules)
    return Remedy([amount_change(name, request.resources[name], amount) for name, amount in changed.items()], count)


def _room(table: HostTable, name: str, row: int) -> int:
    free = int(table.free(name)[row])
    return min(free, int(table.total[name][row])) if name in table.total else free


def _with(request: PlacementRequest, amounts: Mapping[str, int]) -> PlacementRequest:
    return replace(request, resources={**request.resources, **amounts})


def _verified(table: HostTable, request: PlacementRequest, rules: Rules, room: dict[str, int]) -> dict[str, int]:
    """The amounts, if all filters agree; a single one is searched further down (ratios that an aggregate sets)."""
    if not room or _count(table, _with(request, room), rules):
        return room
    if len(room) > 1:
        return {}
    [(name, high)] = room.items()
    low = 0  # fits; ``high`` does not
    while high - low > 1:
        middle = (low + high) // 2
        fits = _count(table, _with(request, {name: middle}), rules)
        low, high = (middle, high) if fits else (low, middle)
    return {name: low} if low else {}


def amount_change(name: str, now: int, needed: int) -> Change:
    """Less of a resource class, in the words of a flavor."""
    what, word, unit = WORDS.get(name, (f"resources:{name}", name, ""))
    text = f"{needed}{unit} of {word} or less ({now - needed}{unit} less)"
    return Change(what, str(now), str(needed), text, now - needed)


# --- what may be dropped


def _ways(table: HostTable, request: PlacementRequest, rules: Rules) -> Iterator[_Way]:
    """Each thing that could be dropped or changed, whether or not it helps."""
    for change, changed in (*_places(table, request, rules), *_wishes(request)):
        yield _Way(change, changed, table)
    if not (table.up & table.enabled).all():
        better = table.twin()
        better.up[:] = better.enabled[:] = True
        gone = len(table) - int(np.count_nonzero(table.up & table.enabled))
        text = f"one of the {gone} hosts that are down or disabled back in service"
        yield _Way(Change("hosts", str(len(table) - gone), str(len(table) - gone + 1), text, 1), request, better)


def _places(table: HostTable, request: PlacementRequest, rules: Rules) -> Iterator[tuple[Change, PlacementRequest]]:
    """Zone, forced host, group."""
    if request.availability_zone:
        anywhere = replace(request, availability_zone=None)
        zones = _zones(table, passing(table, anywhere, rules))
        text = f"another zone than {request.availability_zone}" + (f": {', '.join(zones[:5])}" if zones else "")
        yield Change("availability_zone", request.availability_zone, zones[0] if zones else None, text), anywhere
    if request.forced_host:
        yield (
            Change("host", request.forced_host, None, "another host than the one asked for"),
            replace(request, forced_host=None),
        )
    if request.group:
        text = f"no server group with the policy {request.group.policy}"
        yield Change("hint:group", request.group.policy, None, text), replace(request, group=None)
        if request.group.policy == "anti-affinity":
            yield _wider_group(request)


def _wider_group(request: PlacementRequest) -> tuple[Change, PlacementRequest]:
    group = request.group
    assert group is not None  # the caller looked
    wider = replace(group, max_per_host=group.max_per_host + 1)
    text = f"max_server_per_host {wider.max_per_host} of the server group"
    change = Change("max_server_per_host", str(group.max_per_host), str(wider.max_per_host), text, 1)
    return change, replace(request, group=wider)


def _zones(table: HostTable, hosts: Bools) -> list[str]:
    return sorted({table.zones[int(row)] for row in np.flatnonzero(hosts)})


def _wishes(request: PlacementRequest) -> Iterator[tuple[Change, PlacementRequest]]:
    """Hints, traits, image properties, extra specs: one of them left out."""
    if request.same_host_ids is not None:
        yield _dropped("hint:same_host", None, replace(request, same_host_ids=None))
    if request.different_host_ids:
        yield _dropped("hint:different_host", None, replace(request, different_host_ids=frozenset()))
    for hint in ("query", "build_near_host_ip"):
        if request.hints.get(hint):
            yield _dropped(f"hint:{hint}", str(request.hints[hint])[:200], replace(
                request, hints=_without(request.hints, hint)
            ))  # fmt: skip
    for name in sorted(request.required_traits):
        yield _dropped(f"trait:{name}", "required", replace(request, required_traits=request.required_traits - {name}))
    for name in sorted(request.forbidden_traits):
        left = request.forbidden_traits - {name}
        yield _dropped(f"trait:{name}", "forbidden", replace(request, forbidden_traits=left))
    for name in sorted(request.image_properties)[:MOST_KEYS]:
        left_over = replace(request, image_properties=_without(request.image_properties, name))
        yield _dropped(f"image property {name}", str(request.image_properties[name])[:200], left_over)
    for name in sorted(request.extra_specs)[:MOST_KEYS]:
        left_over = replace(request, extra_specs=_without(request.extra_specs, name))
        yield _dropped(f"extra spec {name}", str(request.extra_specs[name])[:200], left_over)


def _without(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != name}


def _dropped(what: str, now: str | None, request: PlacementRequest) -> tuple[Change, PlacementRequest]:
    return Change(what, now, None, f"no {what.replace('hint:', 'hint ').replace('trait:', 'trait ')}"), request
