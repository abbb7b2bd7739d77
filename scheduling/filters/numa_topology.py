"""A guest's NUMA cells fit into the host's."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from scheduling.columns import numa
from scheduling.filters.base import HostFilter
from scheduling.request import PlacementRequest
from scheduling.table import Bools, HostTable


class NUMATopologyFilter(HostFilter):
    """Every cell of the guest gets a cell of the host of its own, with enough processors, memory and pages free.

    Cells come with ``hw:numa_nodes``, with dedicated processors (``hw:cpu_policy``) and with huge pages
    (``hw:mem_page_size``).
    """

    def applies(self, request: PlacementRequest) -> bool:
        return bool(request.cells)

    def accepts(self, table: HostTable, request: PlacementRequest) -> Bools:
        """By Hall's theorem: any k of the guest's cells must have k cells of the host to choose from."""
        fits = numa.fits(table, request.cells)
        passes = np.ones(len(table), dtype=bool)
        for size in range(1, len(request.cells) + 1):
            for some in combinations(range(len(request.cells)), size):
                passes &= fits[list(some)].any(axis=0).sum(axis=0) >= size
        return passes

    def reason(self, table: HostTable, request: PlacementRequest, row: int) -> str:
        fits = numa.fits(table, request.cells)[:, :, row]
        for number, cell in enumerate(request.cells):
            if not fits[number].any():
                return f"no NUMA cell has free what cell {number} of the guest wants: {numa.spoken(table, cell, row)}"
        cells = int(fits.any(axis=0).sum())
        return f"the guest wants {len(request.cells)} NUMA cells, {cells} of the host have room for one"

    def shortfall(self, table: HostTable, request: PlacementRequest, considered: Bools) -> str:
        if not considered.any():
            return "no host is left"
        usable = numa.fits(table, request.cells).any(axis=0).sum(axis=0)
        best = int(np.argmax(np.where(considered, usable, -1)))
        return f"{int(considered.sum())} hosts left, none has the NUMA cells; the nearest: " + self.reason(
            table, request, best
        )
