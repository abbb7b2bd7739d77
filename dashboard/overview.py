"""The figures on the first page: counted in the database when the page is asked for, one query a line."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Max, Min, Q, Sum
from django.http import HttpRequest
from django.urls import reverse

from computecloud.core.clock import utcnow
from dashboard.site import site
from hosts.models import Host, Inventory
from instances.models import Instance
from integrations.identity import facade as identity
from operations.models import Operation, Outbox

SHOWN_FAILURES = 8


def _page(model: Any, query: str = "") -> str | None:
    """The list page of a model, when it has one."""
    if not site.is_registered(model):
        return None
    meta = model._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist") + query


def _age(seconds: float | None) -> str:
    """ "4 s", "3 min", "2 h"; "–" for nothing."""
    if seconds is None:
        return "–"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def servers() -> dict[str, Any]:
    """Servers by the state their owners see."""
    counts = Instance.objects.filter(deleted_at=None).values_list("status").annotate(Count("id")).order_by("status")
    rows = [(state, number) for state, number in counts]
    return {"title": "Servers", "icon": "dns", "total": sum(number for _, number in rows), "rows": rows}


def hosts() -> dict[str, Any]:
    """Hosts that answer, that do not, and that are closed."""
    found = list(Host.objects.alive().with_liveness())
    rows = [
        ("up", sum(host.is_up for host in found)),
        ("down", sum(not host.is_up for host in found)),
        ("disabled", sum(host.is_disabled for host in found)),
    ]
    return {"title": "Hosts", "icon": "memory", "total": len(found), "rows": rows, "bad": rows[1][1] > 0}


def operations() -> dict[str, Any]:
    """Open operations, and those that failed within the last day."""
    day = utcnow().timestamp() - 86400
    counts = Operation.objects.aggregate(
        pending=Count("id", filter=Q(state="pending")),
        running=Count("id", filter=Q(state="running")),
        oldest=Min("created_at", filter=Q(state__in=("pending", "running"))),
    )
    failed = Operation.objects.filter(state="failed", finished_at__gte=_moment(day)).count()
    age = (utcnow() - counts["oldest"]).total_seconds() if counts["oldest"] else None
    rows = [("running", counts["running"]), ("pending", counts["pending"]), ("failed in 24 h", failed)]
    rows.append(("oldest open", _age(age)))
    total = counts["running"] + counts["pending"]
    return {"title": "Open operations", "icon": "bolt", "total": total, "rows": rows, "bad": failed > 0}


def _moment(timestamp: float) -> Any:
    return utcnow().fromtimestamp(timestamp, tz=utcnow().tzinfo)


def outbox() -> dict[str, Any]:
    """News that no app has taken yet; the age of the oldest is the delay that users see."""
    waiting = Outbox.objects.filter(handled_at=None).aggregate(
        number=Count("id"), oldest=Min("created_at"), tries=Max("tries")
    )
    age = (utcnow() - waiting["oldest"]).total_seconds() if waiting["oldest"] else None
    rows = [("oldest", _age(age)), ("most tries", waiting["tries"] or 0)]
    return {"title": "Outbox", "icon": "outbox", "total": waiting["number"], "rows": rows, "bad": (age or 0) > 60}


def capacity() -> list[dict[str, Any]]:
    """Claimed of what all hosts offer, by resource class."""
    units = {"MEMORY_MB": ("Memory", "GiB", 1024), "VCPU": ("vCPUs", "", 1), "DISK_GB": ("Disk", "GB", 1)}
    rows = (
        Inventory.objects.filter(host__deleted_at=None)
        .values_list("resource_class")
        .annotate(used=Sum("used"), capacity=Sum("capacity"))
        .order_by("resource_class")
    )
    found = []
    for name, used, offered in rows:
        title, unit, size = units.get(name, (name, "", 1))
        percent = round(100 * used / offered) if offered else 0
        text = f"{used / size:,.0f} of {offered / size:,.0f} {unit}".strip()
        found.append({"title": title, "percent": percent, "bar": min(percent, 100), "text": text})
    return found


def failures() -> list[dict[str, Any]]:
    """The last operations that failed, newest first, with the words their owner may read."""
    rows = list(Operation.objects.filter(state="failed").order_by("-created_at")[:SHOWN_FAILURES])
    names = identity.project_names({row.project_id for row in rows})
    page = _page(Operation)
    return [
        {
            "when": row.created_at,
            "what": f"{row.subject_kind} {row.verb}",
            "subject": row.subject_id,
            "project": names.get(row.project_id, row.project_id),
            "fault": row.fault[:200],
            "link": f"{page}{row.pk}/change/" if page else None,
        }
        for row in rows
    ]


def overview(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The theme's DASHBOARD_CALLBACK: adds ``cards``, ``capacity`` and ``failures`` to the first page."""
    cards = [
        {**servers(), "link": _page(Instance)},
        {**hosts(), "link": _page(Host)},
        {**operations(), "link": _page(Operation)},
        {**outbox(), "link": _page(Outbox)},
    ]
    return {**context, "title": "Overview", "cards": cards, "capacity": capacity(), "failures": failures()}
