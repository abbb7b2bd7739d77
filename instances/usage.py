"""How long servers were there, and what that comes to in core, memory and disk hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from computecloud.core.clock import iso_naive
from computecloud.core.errors import Invalid
from instances.models.instance import Instance

COLUMNS = (
    "id", "name", "project_id", "flavor_name", "vcpus", "ram_mb", "disk_gb", "ephemeral_gb", "vm_state", "launched_at",
    "terminated_at", "deleted_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Period:
    """From ``start`` to ``stop``; ``now`` is when the report is made."""

    start: datetime
    stop: datetime
    now: datetime


def rows(period: Period, project_id: str | None, limit: int | None, marker: str | None) -> list[Any]:
    """Servers that were there during a period, a page of them by id. Raises Invalid for an unknown marker."""
    ended = Q(terminated_at__isnull=True, deleted_at__isnull=True) | Q(terminated_at__gt=period.start)
    found = Instance.objects.filter(ended, launched_at__lt=period.stop).order_by("project_id", "id")
    if project_id is not None:
        found = found.filter(project_id=project_id)
    if marker is not None:
        last = Instance.objects.filter(pk=marker).values("project_id").first()
        if last is None:
            raise Invalid(f"Marker {marker[:255]} could not be found.")
        found = found.filter(Q(project_id=last["project_id"], id__gt=marker) | Q(project_id__gt=last["project_id"]))
    return list(found.values_list(*COLUMNS, named=True)[:limit])


def hours(row: Any, period: Period) -> float:
    """How long a server was there within the period."""
    start = max(row.launched_at, period.start)
    stop = min(row.terminated_at, period.stop) if row.terminated_at else period.stop
    seconds: float = max((stop - start).total_seconds(), 0.0)
    return seconds / 3600.0


def server_usage(row: Any, period: Period) -> dict[str, Any]:
    """One server in a detailed report."""
    until = row.terminated_at or period.now
    return {
        "instance_id": row.id,
        "name": row.name,
        "tenant_id": row.project_id,
        "flavor": row.flavor_name,
        "vcpus": row.vcpus,
        "memory_mb": row.ram_mb,
        "local_gb": row.disk_gb + row.ephemeral_gb,
        "hours": hours(row, period),
        "started_at": iso_naive(row.launched_at),
        "ended_at": iso_naive(row.terminated_at),
        "state": "terminated" if row.terminated_at else row.vm_state,
        "uptime": max(int((until - row.launched_at).total_seconds()), 0),
    }


def summaries(found: Sequence[Any], period: Period, *, detailed: bool) -> list[dict[str, Any]]:
    """Usage of each project that has servers among ``found``."""
    sums: dict[str, dict[str, Any]] = {}
    for row in found:
        usage = server_usage(row, period)
        total = sums.setdefault(row.project_id, nothing(row.project_id, period, detailed=detailed))
        total["total_hours"] += usage["hours"]
        total["total_vcpus_usage"] += usage["vcpus"] * usage["hours"]
        total["total_memory_mb_usage"] += usage["memory_mb"] * usage["hours"]
        total["total_local_gb_usage"] += usage["local_gb"] * usage["hours"]
        if detailed:
            total["server_usages"].append(usage)
    return list(sums.values())


def nothing(project_id: str, period: Period, *, detailed: bool) -> dict[str, Any]:
    """The summary of a project that had no server."""
    total: dict[str, Any] = {
        "tenant_id": project_id,
        "start": iso_naive(period.start),
        "stop": iso_naive(period.stop),
        "total_hours": 0.0,
        "total_vcpus_usage": 0.0,
        "total_memory_mb_usage": 0.0,
        "total_local_gb_usage": 0.0,
    }
    return total | ({"server_usages": []} if detailed else {})
