"""The two forms of a filter: over the whole table, or one host at a time for a site's own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from typing import Any, ClassVar

import numpy as np

from scheduling.request import PlacementRequest
from scheduling.table import Bools, HostTable


class HostFilter(ABC):
    """Answers a boolean column: True where the host may take the request."""

    needs: ClassVar[frozenset[str]] = frozenset()  # names of ``scheduling.columns`` that it reads
    runs_on_rebuild: ClassVar[bool] = False  # asked again when a server gets another image on the host it has

    @property
    def name(self) -> str:
        return type(self).__name__

    def applies(self, request: PlacementRequest) -> bool:
        """Whether the request gives this filter anything to look at. One that does not apply costs nothing."""
        return True

    @abstractmethod
    def accepts(self, table: HostTable, request: PlacementRequest) -> Bools:
        """One truth per host. Asked only when the filter applies."""

    def reason(self, table: HostTable, request: PlacementRequest, row: int) -> str:
        """Why this host was refused, with the two numbers compared. Owners see it without the host's name."""
        return "refused"

    def shortfall(self, table: HostTable, request: PlacementRequest, considered: Bools) -> str:
        """One sentence for the owner when this filter refused every host that was left: what is missing."""
        return f"no host passes {self.name}"


class PerHostFilter(HostFilter):
    """A site's own filter, written for one host at a time."""

    @abstractmethod
    def accepts_host(self, host: dict[str, Any], request: PlacementRequest) -> bool:
        """``host`` is what ``host_view`` makes of a row."""

    def accepts(self, table: HostTable, request: PlacementRequest) -> Bools:
        verdicts = (self.accepts_host(host_view(table, row), request) for row in range(len(table)))
        return np.fromiter(verdicts, dtype=bool, count=len(table))


def host_view(table: HostTable, row: int) -> dict[str, Any]:
    """One row of the table as a plain dict: id, name, zone, up, enabled, total, used and free by resource
    class, the metadata of its aggregates, servers, io_ops, and the facts the host reported."""
    return {
        "id": table.ids[row],
        "name": table.names[row],
        "zone": table.zones[row],
        "up": bool(table.up[row]),
        "enabled": bool(table.enabled[row]),
        "free": {name: int(table.free(name)[row]) for name in table.capacity},
        "used": {name: int(column[row]) for name, column in table.used.items()},
        "total": {name: int(column[row]) for name, column in table.total.items()},
        "aggregates": table.aggregates.of_host(table.ids[row]),
        "servers": int(table.servers[row]),
        "io_ops": int(table.io_ops[row]),
        **table.facts[row],
    }


def where(table: HostTable, key: Hashable, test: Callable[[dict[str, Any]], bool]) -> Bools:
    """A column over the facts that hosts report: asked once for each distinct set of facts, and kept for ``key``."""
    return table.where(key, test)


def first_of(considered: Bools) -> int:
    """A row to speak of when all were refused for the like reason; -1 when none was considered."""
    rows = np.flatnonzero(considered)
    return int(rows[0]) if len(rows) else -1
