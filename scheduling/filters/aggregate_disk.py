"""Enough disk is left, by the ratio of the host's aggregates."""

from __future__ import annotations

from scheduling.filters.disk import DiskFilter


class AggregateDiskFilter(DiskFilter):
    """An older name of DiskFilter: ratios that aggregates set are in the capacity that both compare with."""
