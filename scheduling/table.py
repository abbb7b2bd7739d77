"""The hosts as NumPy columns. Pure arithmetic: no database here; ``fresh`` keeps one table like the rows.

One table per scheduler process. Claims are made in the database, so a stale column costs a retry, never a double claim.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from computecloud.conf import conf
from scheduling.columns.aggregates import ZONE, Aggregates

CLASSES = ("VCPU", "MEMORY_MB", "DISK_GB")
MOST_KEPT = 128  # columns computed of facts: 100 kB each at 100,000 hosts
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
T = TypeVar("T")


class Labels(Generic[T]):
    """A column of values that many hosts share: each distinct value once, and per host its number.

    What a filter asks of such a column it asks once for each distinct value, however many hosts there are.
    """

    def __init__(self, values: Iterable[tuple[Any, T]] = ()) -> None:
        """``values``: for each host a hashable key that tells equal values, and the value."""
        self.values: list[T] = []
        self._numbers: dict[Any, int] = {}
        self.codes: NDArray[np.int32] = np.fromiter((self.number(*pair) for pair in values), dtype=np.int32)

    def number(self, key: Any, value: T) -> int:
        """The number of a value, which is added when it is new."""
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.values)
            self.values.append(value)
        return number

    @property
    def keys(self) -> list[Any]:
        """What tells the values, in the order of their numbers."""
        return list(self._numbers)

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, row: int) -> T:
        return self.values[int(self.codes[row])]

    def __iter__(self) -> Iterator[T]:
        return (self.values[code] for code in self.codes)

    def where(self, test: Callable[[T], bool]) -> Bools:
        """Hosts whose value passes the test."""
        verdicts = np.fromiter((test(value) for value in self.values), dtype=bool, count=len(self.values))
        return verdicts[self.codes] if len(verdicts) else np.zeros(len(self.codes), dtype=bool)

    def column(self, number: Callable[[T], float]) -> Floats:
        """A number of each host, from its value."""
        numbers = np.fromiter((number(value) for value in self.values), dtype=np.float64, count=len(self.values))
        return numbers[self.codes] if len(numbers) else np.zeros(len(self.codes))


@dataclass(frozen=True, slots=True)
class HostFacts:
    """One host as the database has it. ``facts`` are those that many hosts share; ``key`` tells equal ones."""

    id: str
    name: str
    key: Hashable
    facts: dict[str, Any]
    is_enabled: bool


class HostTable:
    """Rows are hosts. Columns: ``capacity``, ``used``, ``total`` by resource class, flags, zone, facts, counts.

    The facts hold until ``load_hosts``; what changes by the second (``used``, flags, counts) is noted in ``touched``,
    so that a decision can say what it saw by the few rows that differ from a snapshot.
    """

    def __init__(self) -> None:
        self.row_of: dict[str, int] = {}
        self.aggregates = Aggregates()
        self.stock_version = 0  # counts changes of all that is not told by ``touched``
        self.capacity: dict[str, Ints] = {name: _nothing(0) for name in CLASSES}
        self.used: dict[str, Ints] = {name: _nothing(0) for name in CLASSES}
        self.total: dict[str, Ints] = {name: _nothing(0) for name in CLASSES}
        self.servers, self.io_ops = _nothing(0), _nothing(0)
        self.image_properties: Mapping[tuple[str, str], Mapping[str, int]] = {}  # (name, value) → host id → servers
        self.load_hosts(())

    def __len__(self) -> int:
        return len(self.ids)

    def load_hosts(self, hosts: Sequence[HostFacts]) -> None:
        """Take the set of hosts anew; the numbers of those that were there stay, the others' follow by ``apply``."""
        size, before = len(hosts), self.row_of
        kept = np.fromiter((before.get(host.id, -1) for host in hosts), dtype=np.int64, count=size)
        self.ids = [host.id for host in hosts]
        self.names = [host.name for host in hosts]
        self.row_of = {host_id: row for row, host_id in enumerate(self.ids)}
        self.row_named = {name: row for row, name in enumerate(self.names)}
        self.facts = Labels((host.key, host.facts) for host in hosts)
        self.capacity = {name: _carried(column, kept) for name, column in self.capacity.items()}
        self.used = {name: _carried(column, kept) for name, column in self.used.items()}
        self.total = {name: _carried(column, kept) for name, column in self.total.items()}
        self.servers = _carried(self.servers, kept)
        self.io_ops = _carried(self.io_ops, kept)
        self.up: Bools = np.zeros(size, dtype=bool)
        self.enabled: Bools = np.fromiter((host.is_enabled for host in hosts), dtype=bool, count=size)
        self.touched: Bools = np.zeros(size, dtype=bool)
        self._kept: dict[Hashable, Any] = {}
        self._least: dict[str, int] = {}  # the smallest total of a class
        self.stock_version += 1
        self.set_aggregates(Aggregates(self.aggregates.sets, self.row_of, self.aggregates.stamp))

    def twin(self) -> HostTable:
        """Another table of the same hosts, whose numbers may be changed. Facts, zones and aggregates are shared."""
        other = copy.copy(self)
        for name in ("capacity", "used", "total"):
            setattr(other, name, {kind: column.copy() for kind, column in getattr(self, name).items()})
        for name in ("servers", "io_ops", "up", "enabled", "touched"):
            setattr(other, name, getattr(self, name).copy())
        other._kept, other._least = dict(self._kept), dict(self._least)
        return other

    # --- questions

    def free(self, resource_class: str) -> Ints:
        """What may still be claimed, ratios and reservations counted. Nothing of a class that no host has."""
        if resource_class not in self.capacity:
            return _nothing(len(self))
        return self.capacity[resource_class] - self.used[resource_class]

    def all_have(self, resource_class: str, amount: int) -> bool:
        """Whether no host has less than this in all, whoever uses it."""
        least = self._least.get(resource_class)
        if least is None:
            column = self.total[resource_class]
            least = self._least[resource_class] = int(column.min()) if len(column) else 0
        return least >= amount

    def where(self, key: Hashable, test: Callable[[dict[str, Any]], bool]) -> Bools:
        """A column over the facts that hosts report, computed once per ``key`` and kept until one of them changes."""
        column: Bools = self.kept(("facts", key), lambda: self.facts.where(test))
        return column

    def kept(self, key: Hashable, build: Callable[[], Any]) -> Any:
        """What was computed of facts, zones and aggregates, and holds until one of them changes."""
        if key not in self._kept:
            if len(self._kept) >= MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))  # keys may come from users: they do not fill the memory
            self._kept[key] = build()
        return self._kept[key]

    # --- changes

    def set_aggregates(self, aggregates: Aggregates) -> None:
        """Which aggregates there are, bound to the rows of this table. A host's zone follows from them."""
        if aggregates is self.aggregates:
            return
        self.aggregates = aggregates
        self.metadata_keys = aggregates.keys
        zones = [conf().default_availability_zone] * len(self)
        for zone, rows in aggregates.having(ZONE):
            for row in rows:
                zones[row] = zone
        self.zones = Labels((zone, zone) for zone in zones)
        self._kept.clear()
        self.stock_version += 1

    def apply(
        self, host_id: str, resource_class: str, capacity: int, used: int, total: int, consumers: int | None = None
    ) -> None:
        """An inventory row as it is now. ``consumers``: how many hold something of it."""
        row = self.row_of.get(host_id)
        if row is None:
            return
        if resource_class not in self.capacity:
            self._add_class(resource_class)
        if self.capacity[resource_class][row] != capacity or self.total[resource_class][row] != total:
            self.capacity[resource_class][row] = capacity
            self.total[resource_class][row] = total
            self._least.clear()
            self.stock_version += 1
        self.used[resource_class][row] = used
        if consumers is not None and resource_class == CLASSES[0]:
            self.servers[row] = consumers
        self.touched[row] = True

    def _add_class(self, resource_class: str) -> None:
        for column in (self.capacity, self.used, self.total):
            column[resource_class] = _nothing(len(self))
        self.stock_version += 1

    def add_claim(self, row: int, resources: Mapping[str, int]) -> None:
        """What this process is about to claim, so that the next decision sees it at once. A refresh overwrites it."""
        for name, amount in resources.items():
            if name in self.used:
                self.used[name][row] += amount
        self.servers[row] += 1
        self.io_ops[row] += 1
        self.touched[row] = True

    def set_counts(self, column: Ints, counts: Mapping[str, int]) -> None:
        """Write what was counted per host id into one of the columns of counts; 0 elsewhere."""
        fresh = _nothing(len(self))
        for host_id, count in counts.items():
            if host_id in self.row_of:
                fresh[self.row_of[host_id]] = count
        self.touched |= fresh != column
        column[:] = fresh

    def set_up(self, up: Bools) -> None:
        """Which hosts were heard of lately."""
        self.touched |= up != self.up
        self.up[:] = up


def _nothing(size: int) -> Ints:
    return np.zeros(size, dtype=np.int64)


def _carried(column: Ints, rows: Ints) -> Ints:
    """The column for another set of hosts: ``rows`` says where each one was, -1 for a new one."""
    fresh = _nothing(len(rows))
    if len(column):
        fresh[rows >= 0] = column[rows[rows >= 0]]
    return fresh

