"""Members of a server group together, where that is possible."""

from __future__ import annotations

from scheduling.weighers.group import GroupWeigher


class ServerGroupSoftAffinityWeigher(GroupWeigher):
    """In a group with policy soft-affinity, prefers the host with the most members."""

    multiplier_key = "soft_affinity_weight_multiplier"
    group_policy = "soft-affinity"
