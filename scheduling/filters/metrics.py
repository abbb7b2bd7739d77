"""Hosts that report what the metrics weigher needs."""

from __future__ import annotations

from typing import Any

from computecloud.conf import conf
from scheduling.filters.base import HostFilter, where
from scheduling.request import PlacementRequest
from scheduling.table import Bools, HostTable


class MetricsFilter(HostFilter):
    """The host reports every metric that the setting ``metrics_weights`` names."""

    def applies(self, request: PlacementRequest) -> bool:
        return bool(conf().metrics_weights)

    def accepts(self, table: HostTable, request: PlacementRequest) -> Bools:
        wanted = frozenset(conf().metrics_weights)

        def reports(facts: dict[str, Any]) -> bool:
            return bool(wanted <= facts["metrics"].keys())

        return where(table, ("metrics", wanted), reports)

    def reason(self, table: HostTable, request: PlacementRequest, row: int) -> str:
        missing = sorted(set(conf().metrics_weights) - set(table.facts[row]["metrics"]))
        return f"does not report the metrics {', '.join(missing)}"

    def shortfall(self, table: HostTable, request: PlacementRequest, considered: Bools) -> str:
        return f"no host left reports all {len(conf().metrics_weights)} metrics that are weighed"
