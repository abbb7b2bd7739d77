"""Hosts where builds failed lately."""

from __future__ import annotations

from scheduling.request import PlacementRequest
from scheduling.table import Floats, HostTable
from scheduling.weighers.base import HostWeigher, fact_column


class BuildFailureWeigher(HostWeigher):
    """Avoids hosts in proportion to the builds that failed there since the last one that did not.

    The usual weight is very large: such a host is taken only when there is no other.
    """

    multiplier_key = "build_failure_weight_multiplier"

    def applies(self, table: HostTable, request: PlacementRequest) -> bool:
        return bool(table.kept("any failed builds", lambda: any(facts["failed_builds"] for facts in table.facts)))

    def weigh(self, table: HostTable, request: PlacementRequest) -> Floats:
        return -fact_column(table, "failed_builds", lambda facts: facts["failed_builds"])
