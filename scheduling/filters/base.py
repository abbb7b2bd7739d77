"""The two forms of a filter: over the whole table, or one host at a time for a site's own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from scheduling.request import PlacementRequest
from scheduling.table import Bools, HostTable


class HostFilter(ABC):
    """Answers a boolean column: True where the host may take the request."""

    @property
    def name(self) -> str:
        return type(self).__name__

    @abstractmethod
    def accepts(self, table: HostTable, request: PlacementRequest) -> Bools:
        """One truth per host."""

    def reason(self, table: HostTable, request: PlacementRequest, row: int) -> str:
        """Why this host was refused, with the two numbers compared. Owners see it without the host's name."""
        return "refused"

    def shortfall(self, table: HostTable, request: PlacementRequest, considered: Bools) -> str:
        """One sentence for the owner when this filter refused every host that was left."""
        return f"no host passes {self.name}"


class PerHostFilter(HostFilter):
    """A site's own filter, written for one host at a time."""

    @abstractmethod
    def accepts_host(self, host: dict[str, Any], request: PlacementRequest) -> bool:
        """``host`` has id, name, zone, up, enabled, free (by class) and the facts of the table."""

    def accepts(self, table: HostTable, request: PlacementRequest) -> Bools:
        verdicts = (self.accepts_host(host_view(table, row), request) for row in range(len(table)))
        return np.fromiter(verdicts, dtype=bool, count=len(table))


def host_view(table: HostTable, row: int) -> dict[str, Any]:
    """One row of the table as a plain dict."""
    return {
        "id": table.ids[row],
        "name": table.names[row],
        "zone": table.zones[row],
        "up": bool(table.up[row]),
        "enabled": bool(table.enabled[row]),
        "free": {name: int(table.free(name)[row]) for name in table.capacity},
        **table.facts[row],
    }


class ResourceFilter(HostFilter):
    """Base of Ram, Disk and Core: enough of one resource class is left, ratios counted."""

    resource_class: str
    unit: str
    word: str

    def accepts(self, table: HostTable, request: PlacementRequest) -> Bools:
        wanted = request.amount(self.resource_class)
        if wanted == 0:
            return np.ones(len(table), dtype=bool)
        enough: Bools = table.free(self.resource_class) >= wanted
        return enough

    def reason(self, table: HostTable, request: PlacementRequest, row: int) -> str:
        free = int(table.free(self.resource_class)[row])
        return f"wants {request.amount(self.resource_class)} {self.unit} of {self.word}, {free} free"

    def shortfall(self, table: HostTable, request: PlacementRequest, considered: Bools) -> str:
        wanted = request.amount(self.resource_class)
        most = int(table.free(self.resource_class)[considered].max()) if considered.any() else 0
        most = max(most, 0)
        return (
            f"{wanted} {self.unit} of {self.word} wanted, at most {most} free on one host "
            f"({wanted - most} {self.unit} missing); it would fit with {self.word} <= {most} {self.unit}"
        )
