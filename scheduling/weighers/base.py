"""The form of a weigher. How its column becomes part of a score: ``scheduling.decisions``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from scheduling.filters.base import host_view
from scheduling.request import PlacementRequest
from scheduling.table import Floats, HostTable, Ints


class HostWeigher(ABC):
    """Answers a float column: more is better, times the multiplier."""

    multiplier_key: ClassVar[str] = ""  # the key of aggregate metadata that sets another multiplier
    needs: ClassVar[frozenset[str]] = frozenset()  # names of ``scheduling.columns`` that it reads

    @property
    def name(self) -> str:
        return type(self).__name__

    def applies(self, table: HostTable, request: PlacementRequest) -> bool:
        """Whether it can tell hosts apart. One that does not apply costs nothing and scores 0."""
        return True

    @abstractmethod
    def weigh(self, table: HostTable, request: PlacementRequest) -> Floats | Ints:
        """One raw number per host."""

    def multiplier(self, table: HostTable, default: float) -> float | Floats:
        """The default, or a column where an aggregate says otherwise: the least of what a host's aggregates say."""
        key = self.multiplier_key
        if not key or key not in table.metadata_keys:
            return default
        column: Floats = table.kept(("numbers", key, default), lambda: table.aggregates.numbers(key, default))
        return column


class PerHostWeigher(HostWeigher):
    """A site's own weigher, written for one host at a time."""

    @abstractmethod
    def weigh_host(self, host: dict[str, Any], request: PlacementRequest) -> float:
        """``host`` is what ``host_view`` makes of a row."""

    def weigh(self, table: HostTable, request: PlacementRequest) -> Floats:
        numbers = (self.weigh_host(host_view(table, row), request) for row in range(len(table)))
        return np.fromiter(numbers, dtype=np.float64, count=len(table))


class FreeResourceWeigher(HostWeigher):
    """Base of RAM, CPU and Disk: spread by what is free."""

    resource_class: str

    def weigh(self, table: HostTable, request: PlacementRequest) -> Floats | Ints:
        return table.free(self.resource_class)


def fact_column(table: HostTable, key: str, number: Callable[[dict[str, Any]], float]) -> NDArray[np.float64]:
    """A column of numbers from the facts that hosts report, kept until a host reports something else."""
    column: NDArray[np.float64] = table.kept(("number", key), lambda: table.facts.column(number))
    return column
