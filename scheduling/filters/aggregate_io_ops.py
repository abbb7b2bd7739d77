"""Hosts that are busy are spared, by the limit of their aggregates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from computecloud.conf import conf
from scheduling.filters.io_ops import IoOpsFilter
from scheduling.table import HostTable


class AggregateIoOpsFilter(IoOpsFilter):
    """IoOpsFilter with ``max_io_ops_per_host`` from the metadata of the host's aggregates: the least one holds."""

    def limits(self, table: HostTable) -> NDArray[np.float64]:
        return table.aggregates.numbers("max_io_ops_per_host", float(conf().max_io_ops_per_host))
