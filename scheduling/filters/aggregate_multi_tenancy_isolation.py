"""Aggregates that are kept for certain projects."""

from __future__ import annotations

from scheduling.columns.aggregates import words
from scheduling.filters.base import HostFilter
from scheduling.request import PlacementRequest
from scheduling.table import Bools, HostTable

PREFIX = "filter_tenant_id"


class AggregateMultiTenancyIsolation(HostFilter):
    """A host in an aggregate with ``filter_tenant_id`` (any key that begins so) takes these projects' servers only.

    Projects that no aggregate names go to the hosts that are kept for nobody; those named go there too.
    """

    def accepts(self, table: HostTable, request: PlacementRequest) -> Bools:
        keys = [key for key in table.aggregates.keys if key.startswith(PREFIX)]
        kept = table.aggregates.marked(keys, lambda _text: True)
        passes: Bools = ~kept | table.aggregates.marked(keys, lambda text: request.project_id in words(text))
        return passes

    def reason(self, table: HostTable, request: PlacementRequest, row: int) -> str:
        return "is kept for other projects"

    def shortfall(self, table: HostTable, request: PlacementRequest, considered: Bools) -> str:
        left = int(considered.sum())
        return f"all {left} hosts left are kept for other projects ({left} of {left}); 1 that is not would do"
