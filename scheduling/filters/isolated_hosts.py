"""Some hosts for some images."""

from __future__ import annotations

import numpy as np

from computecloud.conf import conf
from scheduling.filters.base import HostFilter
from scheduling.request import PlacementRequest
from scheduling.table import Bools, HostTable


class IsolatedHostsFilter(HostFilter):
    """Images of the setting ``isolated_images`` go to hosts of ``isolated_hosts`` only.

    With ``restrict_isolated_hosts_to_isolated_images`` (the default) these hosts take no other image either.
    """

    def applies(self, request: PlacementRequest) -> bool:
        return bool(conf().isolated_hosts or conf().isolated_images)

    def accepts(self, table: HostTable, request: PlacementRequest) -> Bools:
        isolated = self._isolated(table)
        if request.image_id in conf().isolated_images:
            return isolated
        return ~isolated if conf().restrict_isolated_hosts_to_isolated_images else np.ones(len(table), dtype=bool)

    @staticmethod
    def _isolated(table: HostTable) -> Bools:
        names = frozenset(conf().isolated_hosts)
        column: Bools = table.kept(
            ("isolated", names),
            lambda: np.fromiter((name in names for name in table.names), dtype=bool, count=len(table)),
        )
        return column

    def reason(self, table: HostTable, request: PlacementRequest, row: int) -> str:
        if request.image_id in conf().isolated_images:
            return "the image is kept to certain hosts, and this is none of them"
        return "the host is kept for certain images, and this is none of them"

    def shortfall(self, table: HostTable, request: PlacementRequest, considered: Bools) -> str:
        kept = int(self._isolated(table)[considered].sum())
        if request.image_id in conf().isolated_images:
            return f"the image is kept to certain hosts, and {kept} of the {int(considered.sum())} left are of these"
        return f"{kept} of the {int(considered.sum())} hosts left are kept for certain images; another image may fit"
