"""No host has too many servers, by the limit of its aggregates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from computecloud.conf import conf
from scheduling.filters.num_instances import NumInstancesFilter
from scheduling.table import HostTable


class AggregateNumInstancesFilter(NumInstancesFilter):
    """NumInstancesFilter with ``max_instances_per_host`` from the metadata of the host's aggregates: the least one."""

    def limits(self, table: HostTable) -> NDArray[np.float64]:
        return table.aggregates.numbers("max_instances_per_host", float(conf().max_instances_per_host))
