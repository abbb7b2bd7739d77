"""Aggregates that take certain flavors."""

from __future__ import annotations

from scheduling.columns.aggregates import words
from scheduling.filters.base import HostFilter
from scheduling.request import PlacementRequest
from scheduling.table import Bools, HostTable

KEY = "instance_type"


class AggregateTypeAffinityFilter(HostFilter):
    """A host in an aggregate with ``instance_type`` takes flavors of these names (a list with commas) only."""

    def accepts(self, table: HostTable, request: PlacementRequest) -> Bools:
        kept = table.aggregates.marked([KEY], lambda _text: True)
        passes: Bools = ~kept | table.aggregates.marked([KEY], lambda text: request.flavor_name in words(text))
        return passes

    def reason(self, table: HostTable, request: PlacementRequest, row: int) -> str:
        taken = [metadata[KEY] for metadata in table.aggregates.of_host(table.ids[row]) if KEY in metadata]
        return f"takes the flavors {' and '.join(taken)}, wanted {request.flavor_name}"

    def shortfall(self, table: HostTable, request: PlacementRequest, considered: Bools) -> str:
        left = int(considered.sum())
        taken = sorted({word for text, _rows in table.aggregates.having(KEY) for word in words(text)})
        return f"all {left} hosts left take other flavors than {request.flavor_name}: {', '.join(taken)[:200]}"
