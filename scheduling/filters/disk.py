"""Enough disk is left."""

from __future__ import annotations

from scheduling.filters.resource import ResourceFilter


class DiskFilter(ResourceFilter):
    """The host's free disk, after its ratio and reservation, holds root, ephemeral and swap."""

    resource_class = "DISK_GB"
    unit = "GB"
    word = "disk"
