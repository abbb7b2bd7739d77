"""Flavors that go to certain aggregates."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from scheduling.columns.aggregates import words
from scheduling.filters.base import HostFilter
from scheduling.filters.operators import match
from scheduling.request import PlacementRequest
from scheduling.table import Bools, HostTable

SCOPE = "aggregate_instance_extra_specs"


class AggregateInstanceExtraSpecsFilter(HostFilter):
    """Extra specs ``aggregate_instance_extra_specs:KEY`` (and those without any scope) against aggregate metadata.

    An aggregate's value may be a list with commas; one match in one of the host's aggregates is enough.
    """

    @staticmethod
    def wanted(request: PlacementRequest) -> Iterator[tuple[str, str]]:
        for key, text in request.extra_specs.items():
            scope, colon, name = key.partition(":")
            if not colon:
                yield key, text
            elif scope == SCOPE:
                yield name, text

    def applies(self, request: PlacementRequest) -> bool:
        return next(self.wanted(request), None) is not None

    def accepts(self, table: HostTable, request: PlacementRequest) -> Bools:
        passes = np.ones(len(table), dtype=bool)
        for key, text in self.wanted(request):
            passes &= self._matching(table, key, text)
        return passes

    @staticmethod
    def _matching(table: HostTable, key: str, text: str) -> Bools:
        return table.aggregates.marked([key], lambda value: any(match(word, text) for word in words(value)))

    def reason(self, table: HostTable, request: PlacementRequest, row: int) -> str:
        for key, text in self.wanted(request):
            if not self._matching(table, key, text)[row]:
                has = [metadata[key] for metadata in table.aggregates.of_host(table.ids[row]) if key in metadata]
                return f"{key} of its aggregates is {' and '.join(has) or 'unset'}, wanted {text}"
        return "accepted"

    def shortfall(self, table: HostTable, request: PlacementRequest, considered: Bools) -> str:
        left = int(considered.sum())
        for key, text in self.wanted(request):
            if not (self._matching(table, key, text) & considered).any():
                return f"0 of {left} hosts left are in an aggregate with {key} {text}; it would fit without this spec"
        return f"none of {left} hosts left is in aggregates with all {len(list(self.wanted(request)))} extra specs"
