"""PCI devices are kept for those who need them."""

from __future__ import annotations

import numpy as np

from hosts.resource_classes import OF_DEVICES
from scheduling.request import PlacementRequest
from scheduling.table import Floats, HostTable
from scheduling.weighers.base import HostWeigher

ENOUGH = 100  # a host with more free devices is not short of them


class PCIWeigher(HostWeigher):
    """Prefers hosts with the fewest free PCI devices: none for a server that wants none, a few for one that does."""

    multiplier_key = "pci_weight_multiplier"

    def applies(self, table: HostTable, request: PlacementRequest) -> bool:
        return any(name.startswith(OF_DEVICES) for name in table.capacity)

    def weigh(self, table: HostTable, request: PlacementRequest) -> Floats:
        devices = np.zeros(len(table), dtype=np.int64)
        for name in table.capacity:
            if name.startswith(OF_DEVICES):
                devices += np.maximum(table.free(name), 0)
        return -np.minimum(devices, ENOUGH).astype(np.float64)
