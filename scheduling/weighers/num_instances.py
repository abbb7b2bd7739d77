"""How many servers a host has."""

from __future__ import annotations

from scheduling.columns import SERVERS
from scheduling.request import PlacementRequest
from scheduling.table import HostTable, Ints
from scheduling.weighers.base import HostWeigher


class NumInstancesWeigher(HostWeigher):
    """Servers on the host. A positive weight packs, a negative one spreads."""

    multiplier_key = "num_instances_weight_multiplier"
    needs = frozenset({SERVERS})

    def weigh(self, table: HostTable, request: PlacementRequest) -> Ints:
        return table.servers
