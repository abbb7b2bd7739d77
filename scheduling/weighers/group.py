"""What the weighers of server groups share: how many of the group each host has."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from scheduling.request import PlacementRequest
from scheduling.table import Floats, HostTable
from scheduling.weighers.base import HostWeigher


class GroupWeigher(HostWeigher):
    """Base of both: counts members, for groups of one policy."""

    group_policy: ClassVar[str]

    def applies(self, table: HostTable, request: PlacementRequest) -> bool:
        return request.group is not None and request.group.policy == self.group_policy and bool(request.group.members)

    def weigh(self, table: HostTable, request: PlacementRequest) -> Floats:
        column = np.zeros(len(table), dtype=np.float64)
        for host_id, count in request.group.members.items() if request.group else ():
            if host_id in table.row_of:
                column[table.row_of[host_id]] = count
        return column
