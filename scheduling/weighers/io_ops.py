"""How busy a host is."""

from __future__ import annotations

from scheduling.columns import IO_OPS
from scheduling.request import PlacementRequest
from scheduling.table import HostTable, Ints
from scheduling.weighers.base import HostWeigher


class IoOpsWeigher(HostWeigher):
    """Operations that work the host's disk. The usual weight is negative: it prefers hosts that are not busy."""

    multiplier_key = "io_ops_weight_multiplier"
    needs = frozenset({IO_OPS})

    def applies(self, table: HostTable, request: PlacementRequest) -> bool:
        return bool(table.io_ops.any())

    def weigh(self, table: HostTable, request: PlacementRequest) -> Ints:
        return table.io_ops
