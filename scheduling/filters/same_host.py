"""Together with servers that the owner names."""

from __future__ import annotations

import numpy as np

from scheduling.filters.base import HostFilter
from scheduling.request import PlacementRequest
from scheduling.table import Bools, HostTable


class SameHostFilter(HostFilter):
    """On a host of one of the servers in the hint ``same_host`` (one id, or several). Own servers only."""

    def applies(self, request: PlacementRequest) -> bool:
        return request.same_host_ids is not None

    def accepts(self, table: HostTable, request: PlacementRequest) -> Bools:
        passes = np.zeros(len(table), dtype=bool)
        for host_id in request.same_host_ids or ():
            if host_id in table.row_of:
                passes[table.row_of[host_id]] = True
        return passes

    def reason(self, table: HostTable, request: PlacementRequest, row: int) -> str:
        return "has none of the servers that the hint same_host names"

    def shortfall(self, table: HostTable, request: PlacementRequest, considered: Bools) -> str:
        hosts = len(request.same_host_ids or ())
        if not hosts:
            return "none of the servers that the hint same_host names is on a host"
        return (
            f"the servers that the hint same_host names are on {hosts} hosts, and none of these is among the "
            f"{int(considered.sum())} hosts left; it would fit with room there, or without the hint"
        )
