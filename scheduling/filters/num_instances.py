"""No host has too many servers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from computecloud.conf import conf
from scheduling.columns import SERVERS
from scheduling.filters.base import HostFilter
from scheduling.request import PlacementRequest
from scheduling.table import Bools, HostTable


class NumInstancesFilter(HostFilter):
    """Fewer servers than ``max_instances_per_host``."""

    needs = frozenset({SERVERS})

    def limits(self, table: HostTable) -> NDArray[np.float64]:
        """How many each host may have."""
        return np.full(len(table), float(conf().max_instances_per_host))

    def accepts(self, table: HostTable, request: PlacementRequest) -> Bools:
        passes: Bools = table.servers < self.limits(table)
        return passes

    def reason(self, table: HostTable, request: PlacementRequest, row: int) -> str:
        return f"has {int(table.servers[row])} servers, {int(self.limits(table)[row])} allowed"

    def shortfall(self, table: HostTable, request: PlacementRequest, considered: Bools) -> str:
        over = int((table.servers - self.limits(table))[considered].min()) if considered.any() else 0
        return (
            f"every host left has as many servers as it may; it would fit with a limit of {over + 1} more, "
            f"or with {over + 1} servers fewer on one host"
        )
