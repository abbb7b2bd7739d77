"""Capabilities that the flavor asks for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from scheduling.columns import IO_OPS, SERVERS, capabilities
from scheduling.filters.base import HostFilter
from scheduling.filters.operators import match
from scheduling.request import PlacementRequest
from scheduling.table import Bools, HostTable

SCOPE = "capabilities"


class ComputeCapabilitiesFilter(HostFilter):
    """Extra specs ``capabilities:NAME`` (and those without any scope) against what the host reports, with operators.

    ``capabilities:cpu_info:features`` looks inside; a capability that the host does not have refuses it.
    """

    needs = frozenset({SERVERS, IO_OPS})

    @staticmethod
    def wanted(request: PlacementRequest) -> Iterator[tuple[tuple[str, ...], str]]:
        """(path of the capability, what is wanted of it)."""
        for key, text in request.extra_specs.items():
            scope, *path = key.split(":")
            if not path:
                yield (scope,), text
            elif scope == SCOPE:
                yield tuple(path), text

    def applies(self, request: PlacementRequest) -> bool:
        return next(self.wanted(request), None) is not None

    def accepts(self, table: HostTable, request: PlacementRequest) -> Bools:
        passes = np.ones(len(table), dtype=bool)
        for path, text in self.wanted(request):
            passes &= self._matching(table, path, text)
        return passes

    @staticmethod
    def _matching(table: HostTable, path: tuple[str, ...], text: str) -> Bools:
        return capabilities.matching(table, path, (SCOPE, path, text), lambda value: match(value, text))

    def reason(self, table: HostTable, request: PlacementRequest, row: int) -> str:
        for path, text in self.wanted(request):
            value = capabilities.values(table, path)[row]
            if value is None or not match(value, text):
                return f"{'.'.join(path)} is {_brief(value)}, wanted {text}"
        return "accepted"

    def shortfall(self, table: HostTable, request: PlacementRequest, considered: Bools) -> str:
        left = int(considered.sum())
        for path, text in self.wanted(request):
            if not (self._matching(table, path, text) & considered).any():
                return f"0 of {left} hosts left have {'.'.join(path)} {text}; it would fit without this extra spec"
        return f"none of {left} hosts left has all {len(list(self.wanted(request)))} capabilities of the flavor"


def _brief(value: object) -> str:
    return "unknown" if value is None else str(value)[:80]
