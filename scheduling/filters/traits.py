"""What a host can do, by name."""

from __future__ import annotations

import numpy as np

from scheduling.filters.base import HostFilter, where
from scheduling.request import PlacementRequest
from scheduling.table import Bools, HostTable


class TraitsFilter(HostFilter):
    """Traits that the flavor (``trait:NAME=required``) or the image requires, and none that it forbids."""

    def applies(self, request: PlacementRequest) -> bool:
        return bool(request.required_traits or request.forbidden_traits)

    def accepts(self, table: HostTable, request: PlacementRequest) -> Bools:
        passes = np.ones(len(table), dtype=bool)
        for name in request.required_traits:
            passes &= self._having(table, name)
        for name in request.forbidden_traits:
            passes &= ~self._having(table, name)
        return passes

    @staticmethod
    def _having(table: HostTable, name: str) -> Bools:
        return where(table, ("trait", name), lambda facts: name in facts["traits"])

    def reason(self, table: HostTable, request: PlacementRequest, row: int) -> str:
        has = table.facts[row]["traits"]
        missing, unwanted = sorted(request.required_traits - has), sorted(request.forbidden_traits & has)
        lacks = [f"lacks the trait {name}" for name in missing]
        return ", ".join([*lacks, *(f"has the forbidden trait {name}" for name in unwanted)]) or "accepted"

    def shortfall(self, table: HostTable, request: PlacementRequest, considered: Bools) -> str:
        left = int(considered.sum())
        for name in sorted(request.required_traits):
            if not (self._having(table, name) & considered).any():
                return f"0 of {left} hosts left have the required trait {name}; it would fit without it"
        for name in sorted(request.forbidden_traits):
            if (self._having(table, name) | ~considered).all():
                return f"all {left} hosts left have the forbidden trait {name}; it would fit without forbidding it"
        wanted = [*sorted(request.required_traits), *(f"not {name}" for name in sorted(request.forbidden_traits))]
        return f"none of {left} hosts left has all of: {', '.join(wanted)}"
