"""Members of a server group apart from each other."""

from __future__ import annotations

import numpy as np

from scheduling.filters.base import HostFilter
from scheduling.request import PlacementRequest
from scheduling.table import Bools, HostTable


class ServerGroupAntiAffinityFilter(HostFilter):
    """In a group with policy anti-affinity, a host takes ``max_server_per_host`` members (1 unless the group says).

    The promise itself is a constraint in the database; this filter spares the scheduler candidates that would lose.
    """

    def applies(self, request: PlacementRequest) -> bool:
        return request.group is not None and request.group.policy == "anti-affinity" and bool(request.group.members)

    def accepts(self, table: HostTable, request: PlacementRequest) -> Bools:
        passes = np.ones(len(table), dtype=bool)
        if request.group is not None:
            for host_id, count in request.group.members.items():
                if count >= request.group.max_per_host and host_id in table.row_of:
                    passes[table.row_of[host_id]] = False
        return passes

    def reason(self, table: HostTable, request: PlacementRequest, row: int) -> str:
        if request.group is None:
            return "accepted"
        there = request.group.members.get(table.ids[row], 0)
        return f"has {there} of the server group's servers, {request.group.max_per_host} allowed on one host"

    def shortfall(self, table: HostTable, request: PlacementRequest, considered: Bools) -> str:
        most = request.group.max_per_host if request.group else 1
        hosts = int(considered.sum())
        return (
            f"the server group keeps its servers apart, at most {most} on one host, and each of the {hosts} hosts left "
            f"has {most}; it would fit with one more host, or with max_server_per_host {most + 1}"
        )
