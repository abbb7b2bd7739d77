"""How new a host's hypervisor is."""

from __future__ import annotations

from scheduling.request import PlacementRequest
from scheduling.table import Floats, HostTable
from scheduling.weighers.base import HostWeigher, fact_column


class HypervisorVersionWeigher(HostWeigher):
    """Prefers newer hypervisors; a negative weight fills the older ones first."""

    multiplier_key = "hypervisor_version_weight_multiplier"

    def applies(self, table: HostTable, request: PlacementRequest) -> bool:
        def differ() -> bool:
            return len({facts["hypervisor_version"] for facts in table.facts}) > 1

        return bool(table.kept("hypervisor versions differ", differ))

    def weigh(self, table: HostTable, request: PlacementRequest) -> Floats:
        return fact_column(table, "hypervisor_version", lambda facts: facts["hypervisor_version"])
