"""What the filters over amounts share: enough of a resource class is left, ratios and reservations counted."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from scheduling.filters.base import HostFilter
from scheduling.request import PlacementRequest
from scheduling.table import Bools, HostTable


class AmountFilter(HostFilter):
    """Base of filters that compare wanted with free amounts, class by class.

    One server never takes more than the host really has, whatever the ratio: overcommit is against others.
    """

    def wanted(self, request: PlacementRequest) -> Iterator[tuple[str, int]]:
        """The (resource class, amount) pairs that this filter looks at."""
        raise NotImplementedError

    def spoken(self, resource_class: str, amount: int) -> str:
        """An amount with its unit."""
        return f"{amount} {resource_class}"

    def unit_of(self, resource_class: str) -> str:
        return resource_class

    def applies(self, request: PlacementRequest) -> bool:
        return next(self.wanted(request), None) is not None

    def accepts(self, table: HostTable, request: PlacementRequest) -> Bools:
        passes: Bools | None = None
        for name, amount in self.wanted(request):
            enough: Bools = table.free(name) >= amount
            if name in table.total and not table.all_have(name, amount):
                enough &= table.total[name] >= amount
            passes = enough if passes is None else passes & enough
        return np.ones(len(table), dtype=bool) if passes is None else passes

    def reason(self, table: HostTable, request: PlacementRequest, row: int) -> str:
        for name, amount in self.wanted(request):
            free = max(int(table.free(name)[row]), 0)
            if free < amount:
                return f"wants {self.spoken(name, amount)}, {free} free"
            if name in table.total and int(table.total[name][row]) < amount:
                return f"wants {self.spoken(name, amount)}, the host has {int(table.total[name][row])} in all"
        return "accepted"

    def shortfall(self, table: HostTable, request: PlacementRequest, considered: Bools) -> str:
        wanted = [(name, amount, self._most(table, name, considered)) for name, amount in self.wanted(request)]
        for name, amount, most in wanted:
            if most < amount:
                missed = f"{amount - most} {self.unit_of(name)} missing"
                remedy = f"it would fit with {self.spoken(name, most)} or less" if most else "no host left has any"
                return f"{self.spoken(name, amount)} wanted, at most {most} free on one host ({missed}); {remedy}"
        spoken = " and ".join(self.spoken(name, amount) for name, amount, _most in wanted)
        return f"{spoken} wanted, and no host has all of it free"

    @staticmethod
    def _most(table: HostTable, name: str, considered: Bools) -> int:
        """The most that one server could get on one of the hosts that are left."""
        if not considered.any():
            return 0
        room = table.free(name)
        if name in table.total:
            room = np.minimum(room, table.total[name])
        return max(int(room[considered].max()), 0)


class ResourceFilter(AmountFilter):
    """Base of Ram, Disk and Core: one class, in words an operator uses."""

    resource_class: str
    unit: str
    word: str

    def applies(self, request: PlacementRequest) -> bool:
        return request.amount(self.resource_class) > 0

    def wanted(self, request: PlacementRequest) -> Iterator[tuple[str, int]]:
        if amount := request.amount(self.resource_class):
            yield self.resource_class, amount

    def spoken(self, resource_class: str, amount: int) -> str:
        return f"{amount} {self.unit} of {self.word}"

    def unit_of(self, resource_class: str) -> str:
        return self.unit
