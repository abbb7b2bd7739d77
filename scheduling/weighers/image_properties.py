"""Servers of like images together."""

from __future__ import annotations

import numpy as np

from scheduling.columns import IMAGE_PROPERTIES
from scheduling.request import PlacementRequest
from scheduling.table import Floats, HostTable
from scheduling.weighers.base import HostWeigher


class ImagePropertiesWeigher(HostWeigher):
    """Properties of the image that the servers on the host have too, each counted as often. 0 (off) unless weighted.

    A positive weight brings servers of like images together, a negative one spreads them.
    """

    multiplier_key = "image_props_weight_multiplier"
    needs = frozenset({IMAGE_PROPERTIES})

    def applies(self, table: HostTable, request: PlacementRequest) -> bool:
        return bool(request.image_properties) and bool(table.image_properties)

    def weigh(self, table: HostTable, request: PlacementRequest) -> Floats:
        column = np.zeros(len(table), dtype=np.float64)
        for pair in request.image_properties.items():
            for host_id, count in table.image_properties.get((pair[0], str(pair[1])), {}).items():
                if host_id in table.row_of:
                    column[table.row_of[host_id]] += count
        return column
