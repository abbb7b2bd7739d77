"""What hosts measure of themselves."""

from __future__ import annotations

from typing import Any

from computecloud.conf import conf
from scheduling.request import PlacementRequest
from scheduling.table import Floats, HostTable
from scheduling.weighers.base import HostWeigher, fact_column


class MetricsWeigher(HostWeigher):
    """The sum of the metrics of the setting ``metrics_weights``, each times its ratio.

    A host that lacks one gets ``metrics_weight_of_unavailable``; MetricsFilter refuses such hosts altogether.
    """

    multiplier_key = "metrics_weight_multiplier"

    def applies(self, table: HostTable, request: PlacementRequest) -> bool:
        return bool(conf().metrics_weights)

    def weigh(self, table: HostTable, request: PlacementRequest) -> Floats:
        return fact_column(table, "metrics", _sum)


def _sum(facts: dict[str, Any]) -> float:
    if not conf().metrics_weights.keys() <= facts["metrics"].keys():
        return conf().metrics_weight_of_unavailable
    return float(sum(facts["metrics"][name] * ratio for name, ratio in conf().metrics_weights.items()))
