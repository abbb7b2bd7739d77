"""Tables of hosts from plain dicts, and what a host says unless a test says otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from hosts.models import Host
from scheduling.columns.aggregates import ZONE, AggregateFacts, Aggregates
from scheduling.columns.facts import COLUMNS, JSON, facts_of
from scheduling.table import HostFacts, HostTable

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
    table = HostTable()
    table.load_hosts([_reported(number, host) for number, host in enumerate(wanted)])
    table.set_up(np.array([host["up"] for host in wanted], dtype=bool))
    for number, host in enumerate(wanted):
        for name, free in host["free"].items():
            total = host["total"].get(name, max(free, CAPACITY))
            capacity = max(total, CAPACITY)
            table.apply(f"id{number}", name, capacity, capacity - free, total)
    table.set_counts(table.servers, {f"id{number}": host["servers"] for number, host in enumerate(wanted)})
    table.set_counts(table.io_ops, {f"id{number}": host["io_ops"] for number, host in enumerate(wanted)})
    zones = [[{ZONE: host["zone"]}] if host["zone"] != "nova" else [] for host in wanted]
    metadata = [[*host["aggregates"], *zone] for host, zone in zip(wanted, zones, strict=True)]
    table.set_aggregates(Aggregates(_sets(metadata), table.row_of))
    return table


def _reported(number: int, host: Mapping[str, Any]) -> HostFacts:
    """The host as its row in the database says it."""
    row = Host(**{key: value for key, value in host.items() if key not in PLAIN})
    values = [getattr(row, name) for name in COLUMNS]
    key = tuple(
        msgspec.json.encode(value).decode() if name in JSON else value
        for name, value in zip(COLUMNS, values, strict=True)
    )
    return HostFacts(f"id{number}", f"host{number}", key, facts_of(key), host["enabled"])


def _sets(of_hosts: Sequence[Sequence[Mapping[str, str]]]) -> list[AggregateFacts]:
    """Equal metadata is one aggregate."""
    members: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for number, metadatas in enumerate(of_hosts):
        for metadata in metadatas:
            members.setdefault(tuple(sorted(metadata.items())), []).append(f"id{number}")
    return [AggregateFacts(number, dict(key), ids) for number, (key, ids) in enumerate(members.items(), 1)]
