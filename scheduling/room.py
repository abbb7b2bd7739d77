"""How many more of a request fit. Hosts are filled side by side: what one takes does not change what another may."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scheduling.columns import numa
from scheduling.decisions import passing
from scheduling.request import PlacementRequest
from scheduling.rules import Rules
from scheduling.table import Bools, HostTable, Ints

AFFINITY = "affinity"
MOST_ON_ONE = 10_000  # a host that takes more is not asked further


def room(table: HostTable, request: PlacementRequest, rules: Rules) -> Ints:
    """Per host how many it would take, one request after the other, until a filter refuses. Of a group with affinity
    only the host that takes most counts, unless its members have a host already.

    The builds under way (``io_ops``) are not counted on: they end.
    """
    table = table.twin()
    found: Ints = np.zeros(len(table), dtype=np.int64)
    while True:
        hosts = passing(table, request, rules)
        if not hosts.any() or found.max(initial=0) >= MOST_ON_ONE:
            return _of_affinity(found) if request.group and request.group.policy == AFFINITY else found
        step = _step(table, request, hosts, rules)
        found[hosts] += step
        request = _fill(table, request, hosts, step)


def _step(table: HostTable, request: PlacementRequest, hosts: Bools, rules: Rules) -> int:
    """How many each passing host may be given at once, so that none of them would have refused one in between."""
    if request.cells or request.group or not request.resources:
        return 1
    step = min(int((table.free(name)[hosts] // amount).min()) for name, amount in request.resources.items())
    while step > 1:
        almost = table.twin()
        _fill(almost, request, hosts, step - 1)
        if passing(almost, request, rules)[hosts].all():
            return step
        step //= 2
    return 1


def _fill(table: HostTable, request: PlacementRequest, hosts: Bools, step: int) -> PlacementRequest:
    """Count them on the hosts; the request with the group's members as they are then."""
    table.servers[hosts] += step
    if request.cells:
        for row in np.flatnonzero(hosts):
            for name, amount in numa.resources_on(table, int(row), request).items():
                table.used[name][row] += amount
    else:
        for name, amount in request.resources.items():
            table.used[name][hosts] += amount * step
    if request.group is None or request.group.policy == AFFINITY:
        return request
    members = dict(request.group.members)
    for row in np.flatnonzero(hosts):
        members[table.ids[row]] = members.get(table.ids[row], 0) + 1
    return replace(request, group=replace(request.group, members=members))


def _of_affinity(found: Ints) -> Ints:
    best = int(found.argmax()) if len(found) else 0
    return np.where(np.arange(len(found)) == best, found, 0)
