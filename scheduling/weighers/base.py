"""The form of a weigher."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from scheduling.request import PlacementRequest
from scheduling.table import Bools, Floats, HostTable


class HostWeigher(ABC):
    """Answers a float column: more is better."""

    @property
    def name(self) -> str:
        return type(self).__name__

    @abstractmethod
    def weigh(self, table: HostTable, request: PlacementRequest) -> Floats:
        """One raw number per host."""


class FreeResourceWeigher(HostWeigher):
    """Base of RAM, CPU and Disk: spread by what is free."""

    resource_class: str

    def weigh(self, table: HostTable, request: PlacementRequest) -> Floats:
        return table.free(self.resource_class).astype(np.float64)


def normalised(raw: Floats, passed: Bools) -> Floats:
    """To 0..1 over the hosts that passed; all equal gives 0."""
    if not passed.any():
        return np.zeros_like(raw)
    least, most = raw[passed].min(), raw[passed].max()
    if most == least:
        return np.zeros_like(raw)
    spread: Floats = (raw - least) / (most - least)
    return spread
