"""Resource classes beside the three that every server wants."""

from __future__ import annotations

from collections.abc import Iterator

from hosts.resource_classes import DISK_GB, MEMORY_MB, OF_DEVICES, VCPU
from scheduling.filters.resource import AmountFilter
from scheduling.request import PlacementRequest

OF_OTHER_FILTERS = frozenset({VCPU, MEMORY_MB, DISK_GB})


class ResourceClassFilter(AmountFilter):
    """The host has free what the flavor asks for by ``resources:CLASS=n``: dedicated processors, custom classes."""

    def wanted(self, request: PlacementRequest) -> Iterator[tuple[str, int]]:
        for name in sorted(request.resources):
            if name not in OF_OTHER_FILTERS and not name.startswith(OF_DEVICES):
                yield name, request.resources[name]
