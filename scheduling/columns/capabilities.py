"""A host's capabilities under the names that extra specs and queries use (``free_ram_mb``, ``cpu_info.model``)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from scheduling.filters.base import where
from scheduling.table import Bools, HostTable

FIGURES: dict[str, Callable[[HostTable], Any]] = {
    "vcpus": lambda table: table.total["VCPU"],
    "vcpus_total": lambda table: table.total["VCPU"],
    "vcpus_used": lambda table: table.used["VCPU"],
    "memory_mb": lambda table: table.total["MEMORY_MB"],
    "total_usable_ram_mb": lambda table: table.total["MEMORY_MB"],
    "memory_mb_used": lambda table: table.used["MEMORY_MB"],
    "free_ram_mb": lambda table: table.total["MEMORY_MB"] - table.used["MEMORY_MB"],
    "local_gb": lambda table: table.total["DISK_GB"],
    "total_usable_disk_gb": lambda table: table.total["DISK_GB"],
    "local_gb_used": lambda table: table.used["DISK_GB"],
    "disk_mb_used": lambda table: table.used["DISK_GB"] * 1024,
    "free_disk_gb": lambda table: table.total["DISK_GB"] - table.used["DISK_GB"],
    "free_disk_mb": lambda table: (table.total["DISK_GB"] - table.used["DISK_GB"]) * 1024,
    "num_instances": lambda table: table.servers,
    "num_io_ops": lambda table: table.io_ops,
    "current_workload": lambda table: table.io_ops,
}
NAMES = {"host", "hypervisor_hostname", "nodename"}
IDS = {"id", "uuid"}
FACTS = {
    "disk_available_least": "disk_free_gb",
    "supported_instances": "supported",
    "supported_hv_specs": "supported",
    "numa_topology": "cells",
}


def values(table: HostTable, path: Sequence[str]) -> list[Any]:
    """One value per host; None where a host has no such capability."""
    name, *inner = path
    if name in FIGURES:
        column = FIGURES[name](table).tolist()
    elif name in NAMES:
        column = list(table.names)
    elif name in IDS:
        column = list(table.ids)
    else:
        return [within(facts, path) for facts in table.facts]
    return [None] * len(table) if inner else column


def within(facts: dict[str, Any], path: Sequence[str]) -> Any:
    """What a host reports under a path; None when there is no such thing."""
    value: Any = facts.get(FACTS.get(path[0], path[0]))
    for key in path[1:]:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def matching(table: HostTable, path: Sequence[str], key: Hashable, test: Callable[[Any], bool]) -> Bools:
    """A column: hosts that have the capability with a value that passes the test. ``key`` names path and test."""
    if path[0] in FIGURES or path[0] in NAMES | IDS:
        found = values(table, path)
        return np.fromiter((value is not None and test(value) for value in found), dtype=bool, count=len(found))

    def passes(facts: dict[str, Any]) -> bool:
        value = within(facts, path)
        return value is not None and test(value)

    return where(table, key, passes)
