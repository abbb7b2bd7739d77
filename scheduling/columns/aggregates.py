"""Aggregates over the rows of the table: their metadata is what an administrator says of a set of hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hosts.models import Aggregate, AggregateHost

ZONE = "availability_zone"


@dataclass(frozen=True, slots=True)
class AggregateFacts:
    """One aggregate. Its zone is a key of its metadata, as at the API."""

    id: int
    metadata: Mapping[str, str]
    host_ids: Sequence[str]


@dataclass(slots=True)
class Aggregates:
    """All of them, bound to the row numbers of one table. ``stamp`` tells whether the database has newer ones."""

    sets: Sequence[AggregateFacts] = ()
    row_of: Mapping[str, int] = field(default_factory=dict)
    stamp: object = None
    _rows: dict[int, NDArray[np.int64]] = field(default_factory=dict)
    _of_host: dict[str, list[Mapping[str, str]]] | None = None

    @classmethod
    def load(cls, row_of: Mapping[str, int], before: Aggregates | None = None) -> Aggregates:
        """Two queries, or one tiny one when nothing changed since ``before``."""
        stamp = tuple(Aggregate.objects.order_by("id").values_list("id", "updated_at"))
        if before is not None and before.stamp == stamp:
            return before if before.row_of is row_of else cls(before.sets, row_of, stamp)
        members: dict[int, list[str]] = {}
        for aggregate_id, host_id in AggregateHost.objects.values_list("aggregate_id", "host_id"):
            members.setdefault(aggregate_id, []).append(host_id)
        rows = Aggregate.objects.order_by("id").values_list("id", "metadata", "availability_zone")
        sets = [
            AggregateFacts(number, metadata | ({ZONE: zone} if zone else {}), members.get(number, ()))
            for number, metadata, zone in rows
        ]
        return cls(sets, row_of, stamp)

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(key for one in self.sets for key in one.metadata)

    def having(self, key: str) -> Iterator[tuple[str, NDArray[np.int64]]]:
        """(value, rows) of every aggregate whose metadata has the key."""
        for one in self.sets:
            if key in one.metadata:
                yield str(one.metadata[key]), self.rows(one)

    def rows(self, one: AggregateFacts) -> NDArray[np.int64]:
        if one.id not in self._rows:
            found = [self.row_of[host_id] for host_id in one.host_ids if host_id in self.row_of]
            self._rows[one.id] = np.array(found, dtype=np.int64)
        return self._rows[one.id]

    def of_host(self, host_id: str) -> list[Mapping[str, str]]:
        """The metadata of each aggregate that the host is in."""
        if self._of_host is None:
            self._of_host = {}
            for one in self.sets:
                for member in one.host_ids:
                    self._of_host.setdefault(member, []).append(one.metadata)
        return self._of_host.get(host_id, [])

    def marked(self, keys: Iterable[str], test: Callable[[str], bool] = bool) -> NDArray[np.bool_]:
        """Hosts in any aggregate that has one of the keys with a value that passes the test."""
        column = np.zeros(len(self.row_of), dtype=bool)
        for key in keys:
            for value, rows in self.having(key):
                if test(value):
                    column[rows] = True
        return column

    def numbers(self, key: str, default: float) -> NDArray[np.float64]:
        """A number per host: the least that its aggregates say, or the default; what is no number is passed over."""
        column: NDArray[np.float64] = np.full(len(self.row_of), np.inf)
        for value, rows in self.having(key):
            if (number := as_number(value)) is not None:
                column[rows] = np.minimum(column[rows], number)
        column[np.isinf(column)] = default
        return column


def as_number(text: Any) -> float | None:
    """A finite number, or None."""
    try:
        number = float(text)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None


def words(text: str) -> list[str]:
    """The values of a list written with commas."""
    return [word.strip() for word in text.split(",")]
