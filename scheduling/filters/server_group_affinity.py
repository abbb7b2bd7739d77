"""Members of a server group together on one host."""

from __future__ import annotations

import numpy as np

from scheduling.filters.base import HostFilter
from scheduling.request import PlacementRequest
from scheduling.table import Bools, HostTable


class ServerGroupAffinityFilter(HostFilter):
    """In a group with policy affinity, the host that the members are on. The first member goes anywhere."""

    def applies(self, request: PlacementRequest) -> bool:
        return request.group is not None and request.group.policy == "affinity" and bool(request.group.members)

    def accepts(self, table: HostTable, request: PlacementRequest) -> Bools:
        passes = np.zeros(len(table), dtype=bool)
        for host_id in request.group.members if request.group else ():
            if host_id in table.row_of:
                passes[table.row_of[host_id]] = True
        return passes

    def reason(self, table: HostTable, request: PlacementRequest, row: int) -> str:
        return "has none of the server group's servers, which stay together"

    def shortfall(self, table: HostTable, request: PlacementRequest, considered: Bools) -> str:
        count = sum(request.group.members.values()) if request.group else 0
        return (
            f"the server group keeps its servers together, and the host of the {count} it has is not among the "
            f"{int(considered.sum())} hosts left; it would fit with room on that host, or outside the group"
        )
