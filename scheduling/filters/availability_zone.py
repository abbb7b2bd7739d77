"""The host is in the zone that was asked for."""

from __future__ import annotations

import numpy as np

from scheduling.filters.base import HostFilter
from scheduling.request import PlacementRequest
from scheduling.table import Bools, HostTable


class AvailabilityZoneFilter(HostFilter):
    """Compares the requested zone with that of the host's aggregates (the default zone without one)."""

    def applies(self, request: PlacementRequest) -> bool:
        return request.availability_zone is not None

    def accepts(self, table: HostTable, request: PlacementRequest) -> Bools:
        wanted = request.availability_zone
        column: Bools = table.kept(
            ("zone", wanted), lambda: np.fromiter((zone == wanted for zone in table.zones), bool, len(table))
        )
        return column

    def reason(self, table: HostTable, request: PlacementRequest, row: int) -> str:
        return f"is in zone {table.zones[row]}, wanted {request.availability_zone}"

    def shortfall(self, table: HostTable, request: PlacementRequest, considered: Bools) -> str:
        zones = sorted({zone for zone, here in zip(table.zones, considered, strict=True) if here})
        return f"no host that is left is in zone {request.availability_zone}; there are: {', '.join(zones) or 'none'}"
