"""Tables of hosts from plain dicts, and what a host says unless a test says otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hosts.models import Host
from scheduling.columns.aggregates import AggregateFacts, Aggregates
from scheduling.table import HostTable

PLAIN: dict[str, Any] = {
    "free": {"VCPU": 40, "MEMORY_MB": 40, "DISK_GB": 40},
    "total": {},  # as much as is free, unless it says
    "up": True,
    "enabled": True,
    "zone": "nova",
    "servers": 0,
    "io_ops": 0,
    "aggregates": [],  # metadata of each aggregate that it is in
}
CAPACITY = 40


def make_table(hosts: Iterable[Mapping[str, Any]]) -> HostTable:
    """Rows id0, id1, ... named host0, host1, ...; what is no column of ``PLAIN`` is a column of the host's row."""
    wanted = [{**PLAIN, **host} for host in hosts]
    rows = []
    for number, host in enumerate(wanted):
        row = Host(
            id=f"id{number}",
            name=f"host{number}",
            is_disabled=not host["enabled"],
            **{key: value for key, value in host.items() if key not in PLAIN},
        )
        row.is_fresh = host["up"]  # type: ignore[attr-defined]
        rows.append(row)
    table = HostTable()
    table.load_hosts(rows, {row.id: host["zone"] for row, host in zip(rows, wanted, strict=True)})
    for row, host in zip(rows, wanted, strict=True):
        for name, free in host["free"].items():
            total = host["total"].get(name, max(free, CAPACITY))
            capacity = max(total, CAPACITY)
            table.apply(row.id, name, capacity, capacity - free, total)
    table.set_counts(table.servers, {f"id{number}": host["servers"] for number, host in enumerate(wanted)})
    table.set_counts(table.io_ops, {f"id{number}": host["io_ops"] for number, host in enumerate(wanted)})
    table.aggregates = Aggregates(_sets([host["aggregates"] for host in wanted]), table.row_of)
    return table


def _sets(of_hosts: Sequence[Sequence[Mapping[str, str]]]) -> list[AggregateFacts]:
    """Equal metadata is one aggregate."""
    members: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for number, metadatas in enumerate(of_hosts):
        for metadata in metadatas:
            members.setdefault(tuple(sorted(metadata.items())), []).append(f"id{number}")
    return [AggregateFacts(number, dict(key), ids) for number, (key, ids) in enumerate(members.items(), 1)]
