"""Members of a server group apart, where that is possible."""

from __future__ import annotations

from scheduling.request import PlacementRequest
from scheduling.table import Floats, HostTable
from scheduling.weighers.group import GroupWeigher


class ServerGroupSoftAntiAffinityWeigher(GroupWeigher):
    """In a group with policy soft-anti-affinity, prefers the host with the fewest members."""

    multiplier_key = "soft_anti_affinity_weight_multiplier"
    group_policy = "soft-anti-affinity"

    def weigh(self, table: HostTable, request: PlacementRequest) -> Floats:
        return -super().weigh(table, request)
