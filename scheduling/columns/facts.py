"""What a host reports of itself, as filters read it. New facts are added here: the column, and its name for filters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

# column of the host's row → name of the fact
PLAIN = {
    "arch": "arch",
    "hypervisor_type": "hypervisor_type",
    "hypervisor_version": "hypervisor_version",
    "underlay_address": "host_ip",
    "failed_builds": "failed_builds",
    "disk_free_gb": "disk_free_gb",
    "running_vms": "running_vms",
}
JSON = {
    "machine_types": "machine_types",
    "supported": "supported",
    "traits": "traits",
    "cpu_info": "cpu_info",
    "numa_cells": "cells",
    "metrics": "metrics",
}
COLUMNS = (*PLAIN, *JSON)


def facts_of(values: Sequence[Any]) -> dict[str, Any]:
    """The facts from the values of ``COLUMNS``, JSON as text. They change when an agent registers, seldom otherwise."""
    row = dict(zip(COLUMNS, values, strict=True))
    facts = {name: row[column] for column, name in PLAIN.items()}
    facts |= {name: msgspec.json.decode(row[column]) for column, name in JSON.items()}
    facts["host_ip"] = str(facts["host_ip"] or "").partition("/")[0]
    facts["traits"] = frozenset(facts["traits"])
    own = (facts["arch"], facts["hypervisor_type"].lower(), "hvm")
    facts["supported"] = [tuple(one) for one in facts["supported"]] or [own]
    return facts
