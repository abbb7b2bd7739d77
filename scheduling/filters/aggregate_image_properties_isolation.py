"""Images that go to certain aggregates."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from computecloud.conf import conf
from scheduling.columns.aggregates import words
from scheduling.filters.base import HostFilter
from scheduling.request import PlacementRequest
from scheduling.table import Bools, HostTable


class AggregateImagePropertiesIsolation(HostFilter):
    """Where an aggregate's metadata and the image have the same key, the image's value is among the aggregate's.

    ``aggregate_image_properties_isolation_namespace`` limits it to keys that begin so. An image without the key goes
    anywhere.
    """

    @staticmethod
    def wanted(request: PlacementRequest) -> Iterator[tuple[str, str]]:
        namespace = conf().aggregate_image_properties_isolation_namespace
        prefix = namespace + conf().aggregate_image_properties_isolation_separator if namespace else ""
        for key, value in request.image_properties.items():
            if value not in (None, "") and key.startswith(prefix):
                yield key, str(value)

    def applies(self, request: PlacementRequest) -> bool:
        return bool(request.image_properties)

    def accepts(self, table: HostTable, request: PlacementRequest) -> Bools:
        passes = np.ones(len(table), dtype=bool)
        for key, value in self.wanted(request):
            passes &= self._passing(table, key, value)
        return passes

    @staticmethod
    def _passing(table: HostTable, key: str, value: str) -> Bools:
        says = table.aggregates.marked([key], lambda _text: True)
        passing: Bools = ~says | table.aggregates.marked([key], lambda text: value in words(text))
        return passing

    def reason(self, table: HostTable, request: PlacementRequest, row: int) -> str:
        for key, value in self.wanted(request):
            if not self._passing(table, key, value)[row]:
                has = [metadata[key] for metadata in table.aggregates.of_host(table.ids[row]) if key in metadata]
                return f"its aggregates take images with {key} {' and '.join(has)}, the image has {value}"
        return "accepted"

    def shortfall(self, table: HostTable, request: PlacementRequest, considered: Bools) -> str:
        left = int(considered.sum())
        for key, value in self.wanted(request):
            if not (self._passing(table, key, value) & considered).any():
                return f"0 of {left} hosts left take images with {key} {value}; another image may fit"
        return f"none of {left} hosts left takes images with all of this one's properties"
