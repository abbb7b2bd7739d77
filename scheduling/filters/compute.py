"""The host's service is enabled and was heard of lately."""

from __future__ import annotations

import numpy as np

from scheduling.filters.base import HostFilter
from scheduling.request import PlacementRequest
from scheduling.table import Bools, HostTable

MOVES = frozenset({"resize", "migrate"})
"""Verbs for which an excluded host is the one that the server is on."""


class ComputeFilter(HostFilter):
    """Up (its lease runs, by the database's clock), not disabled, not draining, and not tried before."""

    @staticmethod
    def _is_move(request: PlacementRequest) -> bool:
        return request.trigger in MOVES

    def accepts(self, table: HostTable, request: PlacementRequest) -> Bools:
        passes = table.up & table.enabled
        for host_id in request.excluded_host_ids:
            row = table.row_of.get(host_id)
            if row is not None:
                passes[row] = False
        if request.forced_host is not None:
            row = table.row_named.get(request.forced_host)
            others = np.ones(len(table), dtype=bool)
            if row is not None:
                others[row] = False
            passes[others] = False
        return passes

    def reason(self, table: HostTable, request: PlacementRequest, row: int) -> str:
        if not table.enabled[row]:
            return "the host's compute service is disabled"
        if not table.up[row]:
            return "the host's compute service is down"
        if table.ids[row] in request.excluded_host_ids:
            return "the server is there now" if self._is_move(request) else "the build failed there before"
        return "another host was asked for"

    def shortfall(self, table: HostTable, request: PlacementRequest, considered: Bools) -> str:
        if request.excluded_host_ids and self._is_move(request):
            return "no other host than the server's own is up and enabled"
        if request.excluded_host_ids:
            return f"the build failed on {len(request.excluded_host_ids)} hosts and no other is up"
        if request.forced_host is not None:
            return "the host that was asked for is unknown, down or disabled"
        return f"none of {len(table)} hosts is up and enabled"
