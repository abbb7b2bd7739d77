"""Away from servers that the owner names."""

from __future__ import annotations

import numpy as np

from scheduling.filters.base import HostFilter
from scheduling.request import PlacementRequest
from scheduling.table import Bools, HostTable


class DifferentHostFilter(HostFilter):
    """Not on a host of the servers in the hint ``different_host`` (one id, or several). Own servers only."""

    def applies(self, request: PlacementRequest) -> bool:
        return bool(request.different_host_ids)

    def accepts(self, table: HostTable, request: PlacementRequest) -> Bools:
        passes = np.ones(len(table), dtype=bool)
        for host_id in request.different_host_ids:
            if host_id in table.row_of:
                passes[table.row_of[host_id]] = False
        return passes

    def reason(self, table: HostTable, request: PlacementRequest, row: int) -> str:
        return "has a server that the hint different_host names"

    def shortfall(self, table: HostTable, request: PlacementRequest, considered: Bools) -> str:
        return (
            f"the hint different_host rules out {len(request.different_host_ids)} hosts and {int(considered.sum())} "
            "are left; it would fit with one more host, or with fewer servers in the hint"
        )
