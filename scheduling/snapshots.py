"""The table as a decision saw it, in few bytes: a snapshot that many decisions share, and the rows that differ from it.

Three parts, by how often they change: the stock (hosts, facts, zones, aggregates, capacity: by hand), the load (what is
used, who is up: by the second, written down whole now and then), and a decision's own difference from that load.
"""

from __future__ import annotations

import time
import zlib
from hashlib import blake2b
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from computecloud.core.ids import new_hex
from operations import sql
from operations.committing import unflushed
from scheduling.columns.aggregates import AggregateFacts, Aggregates
from scheduling.columns.facts import facts_of
from scheduling.models import Snapshot
from scheduling.table import HostFacts, HostTable, Ints

OLDEST_S = 3600.0  # a load is not referred to for longer: the purge of old snapshots need not know who is alive
FEW = 64  # rows that may differ before the load is written anew, or a 64th of the table
WORTH_PACKING = 2048  # bytes
TYPES = (("b", 2**7), ("h", 2**15), ("i", 2**31), ("q", 2**63))  # of numbers, and what is too large for each
TAKE_UP = "UPDATE scheduling_snapshot SET created_at = {now} WHERE id = %s"
KEEP = """INSERT INTO scheduling_snapshot (id, kind, basis, data, created_at) VALUES (%s, %s, %s, %s, {now})
          ON CONFLICT (id) DO UPDATE SET created_at = {now}"""


class Snapshots:
    """What the decisions of one process refer to. Used by whoever holds the table's lock."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Write all anew at the next decision."""
        self._load = ""
        self._stock, self._stock_version = "", -1
        self._taken_at = float("-inf")
        self._rules: tuple[str, bytes] | None = None

    def reference(self, table: HostTable) -> tuple[str, bytes]:
        """The load to refer to and the difference of the table from it."""
        if self.is_outdated(table):
            self.take(table)
        return self._load, _difference(table)

    def is_outdated(self, table: HostTable) -> bool:
        """Whether a decision now would write a snapshot first."""
        if table.stock_version != self._stock_version or time.monotonic() - self._taken_at > OLDEST_S:
            return True
        return int(np.count_nonzero(table.touched)) > max(FEW, len(table) // 64)

    @property
    def is_used(self) -> bool:
        """Whether this process decides at all."""
        return bool(self._load)

    def take(self, table: HostTable) -> None:
        """Write the table down. A stock that is known is only named, and taken up for longer."""
        load = new_hex()
        with unflushed():  # the decision that refers to it is written later
            if table.stock_version != self._stock_version or not sql.update(TAKE_UP, (self._stock,)):
                stock = _stock(table)
                self._stock, self._stock_version = blake2b(stock, digest_size=16).hexdigest(), table.stock_version
                _keep(self._stock, Snapshot.Kind.STOCK, "", stock)
            _keep(load, Snapshot.Kind.LOAD, self._stock, _pack(_load(table)))
            if self._rules:
                _keep(self._rules[0], Snapshot.Kind.RULES, "", self._rules[1])
        table.touched[:] = False
        self._load, self._taken_at = load, time.monotonic()

    def keep_rules(self, key: str, described: bytes) -> None:
        """Write rules down when they are others than before; ``take`` takes them up."""
        if self._rules is None or key != self._rules[0]:
            _keep(key, Snapshot.Kind.RULES, "", described)
            self._rules = (key, described)


def _keep(key: str, kind: Snapshot.Kind, basis: str, data: bytes) -> None:
    sql.update(KEEP, (key, kind.value, basis, data))


# --- to bytes


def _pack(value: Any) -> bytes:
    """``z`` and packed, or ``r`` and raw where packing is not worth its time."""
    data = msgspec.msgpack.encode(value)
    return b"z" + zlib.compress(data, 1) if len(data) >= WORTH_PACKING else b"r" + data


def unpack(data: bytes | memoryview) -> Any:
    """What ``_pack`` was given."""
    data = bytes(data)
    return msgspec.msgpack.decode(zlib.decompress(data[1:]) if data[:1] == b"z" else data[1:])


def _numbers(column: NDArray[Any]) -> tuple[str, bytes]:
    """The column in the smallest type that holds it."""
    if not column.size:
        return "b", b""
    least, most = int(column.min()), int(column.max())
    code = next(code for code, bound in TYPES if -bound <= least and most < bound)
    return code, column.astype(code).tobytes()


def _column(stored: tuple[str, bytes]) -> Ints:
    return np.frombuffer(stored[1], dtype=stored[0]).astype(np.int64)


def _stock(table: HostTable) -> bytes:
    facts = [[_plain(value) for value in key] for key in table.facts.keys]
    aggregates = [[one.id, dict(one.metadata), list(one.host_ids)] for one in table.aggregates.sets]
    amounts = {name: [_numbers(table.capacity[name]), _numbers(table.total[name])] for name in sorted(table.capacity)}
    told = {
        "ids": table.ids,
        "names": table.names,
        "facts": facts,
        "codes": _numbers(table.facts.codes),
        "enabled": table.enabled.tobytes(),
        "aggregates": aggregates,
        "amounts": amounts,
    }
    return _pack(told)


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float | str | None) else str(value)


def _columns(table: HostTable) -> list[NDArray[Any]]:
    """What changes by the second, in the order in which it is stored."""
    used = [table.used[name] for name in sorted(table.used)]
    return [*used, table.servers, table.io_ops, table.up]


def _load(table: HostTable) -> tuple[str, bytes]:
    """What changes by the second, of all rows, in one block."""
    return _numbers(np.stack([column.astype(np.int64) for column in _columns(table)]))


def _difference(table: HostTable) -> bytes:
    """The same of those rows that were touched since, after their numbers. Every decision pays for it: as few numbers
    they are smaller, and sooner made, as plain ones than as a block."""
    rows = table.touched.nonzero()[0]
    return _pack([rows.tolist(), *(column[rows].tolist() for column in _columns(table))]) if len(rows) else b""


# --- and back


def restore(snapshot_id: str, difference: bytes | memoryview = b"") -> HostTable:
    """The table that a decision saw. Raises LookupError when its snapshot was purged."""
    return with_difference(base(snapshot_id), difference)


def base(snapshot_id: str) -> HostTable:
    """The table as the snapshot has it, which many decisions share. Raises LookupError."""
    load = Snapshot.objects.filter(id=snapshot_id).first()
    stock = Snapshot.objects.filter(id=load.basis).first() if load else None
    if load is None or stock is None:
        raise LookupError(f"snapshot {snapshot_id} is gone")
    table = _from_stock(unpack(stock.data))
    _write_load(table, _column(unpack(load.data)).reshape(len(_columns(table)), -1), slice(None))
    return table


def with_difference(table: HostTable, difference: bytes | memoryview) -> HostTable:
    """The same table with a decision's own rows written into it."""
    if difference:
        rows, *changed = unpack(difference)
        _write_load(table, np.array(changed), np.array(rows))
    return table


def _from_stock(told: dict[str, Any]) -> HostTable:
    keys = [tuple(key) for key in told["facts"]]
    facts = [facts_of(key) for key in keys]
    enabled = np.frombuffer(told["enabled"], dtype=bool)
    rows = zip(told["ids"], told["names"], _column(told["codes"]), enabled, strict=True)
    table = HostTable()
    table.load_hosts([HostFacts(id_, name, keys[code], facts[code], bool(is_on)) for id_, name, code, is_on in rows])
    sets = [AggregateFacts(number, metadata, hosts) for number, metadata, hosts in told["aggregates"]]
    table.set_aggregates(Aggregates(sets, table.row_of))
    for name, (capacity, total) in told["amounts"].items():
        table.capacity[name], table.total[name] = _column(capacity), _column(total)
        table.used[name] = np.zeros(len(table), dtype=np.int64)
    return table


def _write_load(table: HostTable, load: Ints, rows: Ints | slice) -> None:
    for column, values in zip(_columns(table), load, strict=True):
        column[rows] = values
