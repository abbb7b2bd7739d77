"""Keeps one table like the database's rows: by what changed, never reloaded whole for one request.

Inventories carry a change number (``hosts.models.inventory``), hosts a time of change. A lease is read again only when
the one that is known is about to run out, or has: a host that is well costs nothing, however many there are.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from django.db import connection

from hosts.models import Host, Inventory
from scheduling import configuration
from scheduling.columns import IMAGE_PROPERTIES, activity, sources
from scheduling.columns.aggregates import Aggregates
from scheduling.columns.facts import COLUMNS, facts_of
from scheduling.table import Bools, Floats, HostFacts, HostTable

STALE_S = 1.0  # nobody decides on an older table
LEASE_AHEAD_S = 20.0  # a lease that runs out within this time is read again
MANY = 500  # so many ids fit well into one statement
OVERLAP_S = 5.0  # a change of a host may commit this long after the time it wrote
IMAGES_S = 5.0  # properties of the servers' images are read anew so often, while a weigher reads them
WHOLE_S = 600.0  # hosts are read whole so often, in the background: whatever took longer than OVERLAP_S is found then

SPELLING = {
    "sqlite": {
        "{clock}": "(JULIANDAY('now') - 2440587.5) * 86400.0, "
        "(SELECT COALESCE(MAX(change), 0) FROM hosts_inventory)",
        "{lease}": "(JULIANDAY(lease_expires_at) - 2440587.5) * 86400.0",
        "{moment}": "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', %s, 'unixepoch')",
    },
    "postgresql": {
        "{clock}": "EXTRACT(EPOCH FROM STATEMENT_TIMESTAMP())::float8, "
        "pg_snapshot_xmin(pg_current_snapshot())::text::bigint",
        "{lease}": "EXTRACT(EPOCH FROM lease_expires_at)::float8",
        "{moment}": "TO_TIMESTAMP(%s)",
    },
}
"""Times as seconds since 1970, so that a hundred thousand of them are numbers from the start."""
CLOCK = "SELECT {clock}"
HOSTS = """SELECT id, name, deleted_at IS NOT NULL, NOT (is_disabled OR is_draining), is_forced_down, {lease}, {columns}
           FROM hosts_host WHERE """
LIVING = HOSTS + "deleted_at IS NULL"
CHANGED = HOSTS + "changed_at >= {moment}"
LEASES = "SELECT id, {lease} FROM hosts_host WHERE deleted_at IS NULL"


@cache
def _spelled(statement: str, vendor: str) -> str:
    """The statement as a database wants it."""
    for mark, text in SPELLING[vendor].items():
        statement = statement.replace(mark, text)
    return statement.replace("{columns}", ", ".join(COLUMNS))


def _rows(statement: str, *params: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(_spelled(statement, connection.vendor), params or None)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


class FreshTable:
    """One HostTable, and what is needed to keep it fresh. ``lock`` is held by whoever reads or writes the table, and
    nobody asks ``get`` while holding it.

    The scheduler's process refreshes in the background; whoever finds the table older than ``STALE_S`` does it on the
    spot.
    """

    def __init__(self) -> None:
        self.table = HostTable()
        self.lock = threading.RLock()
        self._reading = threading.Lock()
        self._hosts: dict[str, HostFacts] = {}
        self._leases: Floats = np.zeros(0)
        self._forced_down: set[str] = set()
        self._clock = 0.0  # the database's, at the last look
        self._mark = 0  # inventories with this change number or a higher one are news
        self._read_at = self._whole_at = self._images_at = float("-inf")

    def get(self) -> HostTable:
        if self.age() > STALE_S:
            self.refresh()
        return self.table

    def forget(self) -> None:
        """Re-read everything at the next question."""
        self._read_at = self._whole_at = self._images_at = float("-inf")
        self._mark = 0
        self.table.aggregates.stamp = None

    def age(self) -> float:
        """Seconds since the last look at the database."""
        return time.monotonic() - self._read_at

    def now(self) -> float:
        """The database's clock (s since 1970), reckoned from the last look."""
        return self._clock + self.age()

    def refresh(self) -> None:
        """Read what changed. One thread at a time; the table's lock is held only to write it down."""
        with self._reading:
            now = time.monotonic()
            clock, mark = _database_clock()
            if now - self._whole_at > WHOLE_S:
                self._take_hosts(_rows(LIVING), clock, whole=True)
                self._apply(Inventory.objects.filter(host__deleted_at__isnull=True))
                self._whole_at = now
            else:
                self._take_hosts(_rows(CHANGED, self._clock - OVERLAP_S), clock)
                self._apply(Inventory.objects.filter(change__gte=self._mark))
            self._renew(clock)
            self._take_counts()
            self._clock, self._mark = clock, mark
            self._read_at = now

    def add_claim(self, host_id: str, resources: Mapping[str, int]) -> None:
        """Count as taken what is about to be claimed."""
        with self.lock:
            row = self.table.row_of.get(host_id)
            if row is not None:
                self.table.add_claim(row, resources)

    def reread(self, host_ids: Collection[str]) -> None:
        """The inventories of some hosts as they are now: of new ones, or after a claim that did not come about."""
        self._apply(Inventory.objects.filter(host_id__in=list(host_ids)))

    # --- hosts and their leases

    def _take_hosts(self, rows: Sequence[tuple[Any, ...]], clock: float, *, whole: bool = False) -> None:
        """Write hosts down that are new, changed or gone; ``whole``: those that are not among the rows are gone too."""
        before = self._hosts
        after = {} if whole else dict(before)
        leases = dict(zip(self.table.ids, self._leases, strict=True))
        for host_id, name, is_gone, is_enabled, is_forced_down, lease, *facts in rows:
            (self._forced_down.add if is_forced_down else self._forced_down.discard)(host_id)
            leases[host_id] = lease or 0.0
            after.pop(host_id, None)
            if not is_gone:
                known = before.get(host_id)
                key = tuple(facts)
                same = known is not None and (known.name, known.key, known.is_enabled) == (name, key, bool(is_enabled))
                if known is None or not same:
                    known = HostFacts(host_id, name, key, facts_of(key), bool(is_enabled))
                after[host_id] = known
        if after == before and not whole:
            self._leases = np.array([leases[host_id] for host_id in self.table.ids], dtype=np.float64)
            return
        hosts = [after[host_id] for host_id in sorted(after)]
        self._hosts = after
        with self.lock:
            self.table.load_hosts(hosts)
            self._leases = np.array([leases[host.id] for host in hosts], dtype=np.float64)
            self.table.set_up(self._up(clock))
        if not whole:
            self.reread(after.keys() - before.keys())  # what they offer was written before they were known here

    def _renew(self, clock: float) -> None:
        """Read those leases again that are about to run out or have, and say who is up."""
        due = np.flatnonzero(self._leases < clock + LEASE_AHEAD_S)
        if len(due):
            ids = [self.table.ids[row] for row in due] if len(due) <= MANY else None
            for host_id, lease in _lease_rows(ids):
                row = self.table.row_of.get(host_id)
                if row is not None:
                    self._leases[row] = lease or 0.0
        with self.lock:
            self.table.set_up(self._up(clock))

    def _up(self, clock: float) -> Bools:
        up: Bools = self._leases > clock
        for host_id in self._forced_down & self.table.row_of.keys():
            up[self.table.row_of[host_id]] = False
        return up

    # --- inventories, aggregates, counts

    def _apply(self, inventories: Any) -> None:
        """Write inventories down."""
        columns = ("host_id", "resource_class", "capacity", "used", "total", "consumers")
        rows = list(inventories.order_by().values_list(*columns))
        with self.lock:
            for row in rows:
                self.table.apply(*row)

    def _take_image_properties(self, aggregates: Aggregates) -> None:
        """Of all servers, and only while a weigher reads them: every few seconds will do."""
        now = time.monotonic()
        if now - self._images_at < IMAGES_S or not configuration.in_force().reads(IMAGE_PROPERTIES, aggregates.keys):
            return
        self._images_at = now
        self.table.image_properties = sources.image_properties()

    def _take_counts(self) -> None:
        aggregates = Aggregates.load(self.table.row_of, self.table.aggregates)
        counts = activity.io_ops()
        self._take_image_properties(aggregates)
        with self.lock:
            self.table.set_aggregates(aggregates)
            self.table.set_counts(self.table.io_ops, counts)


def _database_clock() -> tuple[float, int]:
    """The database's time (s since 1970), and the change number from which on something may still be under way.

    On SQLite the highest one: writers come one after the other there. It may fall when a host and its inventories go.
    """
    [(now, mark)] = _rows(CLOCK)
    return float(now), int(mark)


def _lease_rows(ids: Sequence[str] | None) -> Iterable[tuple[str, float | None]]:
    """(id, end of its lease) of some hosts, or of all living ones."""
    if ids is None:
        return [(host_id, lease) for host_id, lease in _rows(LEASES)]
    rows = Host.objects.filter(id__in=ids).values_list("id", "lease_expires_at")
    return [(host_id, lease.timestamp() if lease else None) for host_id, lease in rows]
