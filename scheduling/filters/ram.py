"""Enough memory is left."""

from __future__ import annotations

from scheduling.filters.resource import ResourceFilter


class RamFilter(ResourceFilter):
    """The host's free memory, after its ratio and reservation, holds the flavor's."""

    resource_class = "MEMORY_MB"
    unit = "MB"
    word = "RAM"
