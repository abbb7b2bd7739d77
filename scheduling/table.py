"""The hosts as NumPy columns, refreshed by change and never reloaded whole for one request.

One table per scheduler process. Claims are made in the database, so a stale column costs a retry, never a double claim.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from computecloud.conf import conf
from hosts.models import AggregateHost, Host, Inventory
from scheduling.columns import activity
from scheduling.columns.aggregates import Aggregates
from scheduling.columns.facts import facts_of

CLASSES = ("VCPU", "MEMORY_MB", "DISK_GB")
OVERLAP = timedelta(seconds=5)  # a transaction may commit this long after the time it wrote
STALE_S = 1.0
HOSTS_S = 1.0
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


class HostTable:
    """Rows are hosts, in the order of ``ids``. Columns: ``capacity`` and ``used`` per class, flags, zone, facts."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.names: list[str] = []
        self.zones: list[str] = []
        self.facts: list[dict[str, Any]] = []  # arch, hypervisor_type, traits, ... of each host
        self.row_of: dict[str, int] = {}
        self.capacity: dict[str, NDArray[np.int64]] = {}
        self.used: dict[str, NDArray[np.int64]] = {}
        self.total: dict[str, NDArray[np.int64]] = {}
        self.aggregates = Aggregates()
        self.servers: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self.io_ops: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self.image_properties: Mapping[tuple[str, str], Mapping[str, int]] = {}  # (name, value) → host id → servers
        self._kept: dict[object, Any] = {}
        self.up: Bools = np.zeros(0, dtype=bool)
        self.enabled: Bools = np.zeros(0, dtype=bool)
        self._resize(0)

    def __len__(self) -> int:
        return len(self.ids)

    def _resize(self, size: int) -> None:
        self.capacity = {name: np.zeros(size, dtype=np.int64) for name in CLASSES}
        self.used = {name: np.zeros(size, dtype=np.int64) for name in CLASSES}
        self.total = {name: np.zeros(size, dtype=np.int64) for name in CLASSES}
        self.servers = np.zeros(size, dtype=np.int64)
        self.io_ops = np.zeros(size, dtype=np.int64)
        self._kept.clear()
        self.up = np.zeros(size, dtype=bool)
        self.enabled = np.zeros(size, dtype=bool)

    def free(self, resource_class: str) -> NDArray[np.int64]:
        """What may still be claimed, ratios and reservations counted. Nothing of a class that no host has."""
        if resource_class not in self.capacity:
            return np.zeros(len(self), dtype=np.int64)
        return self.capacity[resource_class] - self.used[resource_class]

    def kept(self, key: object, build: Callable[[], Any]) -> Any:
        """What was computed of the hosts' facts, and holds until one of them changes."""
        if key not in self._kept:
            self._kept[key] = build()
        return self._kept[key]

    def load_hosts(self, hosts: Iterable[Host], zones: Mapping[str, str]) -> None:
        """Take the set of hosts anew (cheap: hosts change by hand); inventories follow by ``apply``."""
        rows = list(hosts)
        self.ids = [host.id for host in rows]
        self.names = [host.name for host in rows]
        self.row_of = {host_id: row for row, host_id in enumerate(self.ids)}
        default = conf().default_availability_zone
        self.zones = [zones.get(host.id, default) for host in rows]
        self.facts = [facts_of(host) for host in rows]
        self._resize(len(rows))
        for row, host in enumerate(rows):
            self.up[row] = host.is_up
            self.enabled[row] = not host.is_disabled and not host.is_draining

    def apply(self, host_id: str, resource_class: str, capacity: int, used: int, total: int) -> None:
        row = self.row_of.get(host_id)
        if row is None:
            return
        if resource_class not in self.capacity:
            for column in (self.capacity, self.used, self.total):
                column[resource_class] = np.zeros(len(self), dtype=np.int64)
        self.total[resource_class][row] = total
        self.capacity[resource_class][row] = capacity
        self.used[resource_class][row] = used

    def add_claim(self, host_id: str, resources: Mapping[str, int]) -> None:
        """What this process has just claimed, so that the next decision sees it at once."""
        row = self.row_of.get(host_id)
        if row is None:
            return
        for name, amount in resources.items():
            if name in self.used:
                self.used[name][row] += amount
        self.servers[row] += 1
        self.io_ops[row] += 1

    def set_counts(self, column: NDArray[np.int64], counts: Mapping[str, int]) -> None:
        """Write what was counted per host id into one of the columns of counts."""
        column[:] = 0
        for host_id, count in counts.items():
            if host_id in self.row_of:
                column[self.row_of[host_id]] = count


class FreshTable:
    """Keeps one HostTable fresh. The scheduler's process refreshes it in the background: no request waits for it.

    Whoever finds it older than ``STALE_S`` refreshes it on the spot. A reader keeps the table it got; a reload makes
    another.
    """

    def __init__(self) -> None:
        self.table = HostTable()
        self._lock = threading.Lock()
        self._seen: datetime | None = None
        self._read_at = float("-inf")
        self._hosts_at = float("-inf")

    def get(self) -> HostTable:
        if time.monotonic() - self._read_at > STALE_S:
            self.refresh()
        return self.table

    def forget(self) -> None:
        """Re-read everything at the next question."""
        self._read_at = self._hosts_at = float("-inf")

    def refresh(self) -> None:
        """Claims that changed; hosts, zones and liveness (a comparison with the database's clock) once a second."""
        with self._lock:
            now = time.monotonic()
            if now - self._hosts_at > HOSTS_S or self._seen is None:
                self._reload_hosts()
                self._hosts_at = now
            else:
                changed = Inventory.objects.filter(changed_at__gte=self._seen - OVERLAP)
                self._seen = self._apply(self.table, changed, self._seen)
            self._read_at = now

    def _reload_hosts(self) -> None:
        hosts = list(Host.objects.alive().with_liveness().order_by("id"))
        memberships = AggregateHost.objects.filter(aggregate__availability_zone__isnull=False)
        rows = memberships.values_list("host_id", "aggregate__availability_zone")
        table = HostTable()
        table.load_hosts(hosts, {host_id: zone for host_id, zone in rows if zone is not None})
        table.aggregates = Aggregates.load(table.row_of, self.table.aggregates)
        table.set_counts(table.io_ops, activity.io_ops())
        table.set_counts(table.servers, activity.servers())
        self._seen = self._apply(table, Inventory.objects.filter(host__deleted_at__isnull=True), self._seen)
        self.table = table

    @staticmethod
    def _apply(table: HostTable, rows: Any, seen: datetime | None) -> datetime | None:
        """Write the rows into the table; the latest time of change among them and before."""
        for host_id, name, capacity, used, total, changed_at in rows.values_list(
            "host_id", "resource_class", "capacity", "used", "total", "changed_at"
        ):
            table.apply(host_id, name, capacity, used, total)
            if seen is None or changed_at > seen:
                seen = changed_at
        return seen
