"""Hosts that are busy building, moving or copying are spared."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from computecloud.conf import conf
from scheduling.columns import IO_OPS
from scheduling.filters.base import HostFilter
from scheduling.request import PlacementRequest
from scheduling.table import Bools, HostTable


class IoOpsFilter(HostFilter):
    """Fewer operations that work its disk (builds, moves, snapshots, rescues) than ``max_io_ops_per_host``."""

    needs = frozenset({IO_OPS})

    def limits(self, table: HostTable) -> NDArray[np.float64]:
        """How many each host may have."""
        return np.full(len(table), float(conf().max_io_ops_per_host))

    def accepts(self, table: HostTable, request: PlacementRequest) -> Bools:
        passes: Bools = table.io_ops < self.limits(table)
        return passes

    def reason(self, table: HostTable, request: PlacementRequest, row: int) -> str:
        return f"{int(table.io_ops[row])} operations work its disk, {int(self.limits(table)[row])} allowed"

    def shortfall(self, table: HostTable, request: PlacementRequest, considered: Bools) -> str:
        least = int((table.io_ops - self.limits(table))[considered].min()) if considered.any() else 0
        return (
            f"every host left is busy: the least busy has {least} operations more than it may; "
            f"it would fit when {least + 1} of them ended"
        )
