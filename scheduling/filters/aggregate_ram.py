"""Enough memory is left, by the ratio of the host's aggregates."""

from __future__ import annotations

from scheduling.filters.ram import RamFilter


class AggregateRamFilter(RamFilter):
    """An older name of RamFilter: ratios that aggregates set are in the capacity that both compare with."""
