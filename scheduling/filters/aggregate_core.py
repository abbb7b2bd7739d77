"""Enough processors is left, by the ratio of the host's aggregates."""

from __future__ import annotations

from scheduling.filters.core import CoreFilter


class AggregateCoreFilter(CoreFilter):
    """An older name of CoreFilter: ratios that aggregates set are in the capacity that both compare with."""
