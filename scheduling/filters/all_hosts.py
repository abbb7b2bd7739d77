"""Refuses nobody."""

from __future__ import annotations

import numpy as np

from scheduling.filters.base import HostFilter
from scheduling.request import PlacementRequest
from scheduling.table import Bools, HostTable


class AllHostsFilter(HostFilter):
    """Every host passes. To have one filter where none is wanted."""

    def applies(self, request: PlacementRequest) -> bool:
        return False

    def accepts(self, table: HostTable, request: PlacementRequest) -> Bools:
        return np.ones(len(table), dtype=bool)
