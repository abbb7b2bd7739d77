"""How many rows of each kind a project may have: conditional updates on ``QuotaGate``, never counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db.models import F, Q

from computecloud.conf import conf
from integrations.networks.errors import OverQuota
from integrations.networks.models import QuotaGate

RESOURCES = ("network", "subnet", "subnetpool", "port", "router", "security_group", "security_group_rule")
UNLIMITED = -1


def default_limit(resource: str) -> int:
    """The limit of a project that has none of its own."""
    limit: int = getattr(conf(), f"quota_network_{resource}")
    return limit


def default_limits() -> dict[str, int]:
    return {resource: default_limit(resource) for resource in RESOURCES}


def limits_of(project_id: str) -> dict[str, int]:
    """Every resource's limit in a project."""
    own = QuotaGate.objects.filter(project_id=project_id, limit__isnull=False).values_list("resource", "limit")
    return default_limits() | {resource: limit for resource, limit in own if limit is not None}


def used_by(project_id: str) -> dict[str, int]:
    """How much of every resource a project uses."""
    used = QuotaGate.objects.filter(project_id=project_id).values_list("resource", "used")
    return dict.fromkeys(RESOURCES, 0) | dict(used)


def projects_with_limits() -> dict[str, dict[str, int]]:
    """All limits of every project that has one of its own."""
    found: dict[str, dict[str, int]] = {}
    rows = QuotaGate.objects.filter(limit__isnull=False).values_list("project_id", "resource", "limit")
    for project_id, resource, limit in rows:
        found.setdefault(project_id, default_limits())[resource] = limit or 0
    return found


def set_limits(project_id: str, limits: Mapping[str, int]) -> None:
    """Give a project limits of its own; -1 is unlimited. Existing rows above a limit stay."""
    _make_gates(project_id, limits)
    for resource in sorted(limits):
        QuotaGate.objects.filter(project_id=project_id, resource=resource).update(limit=limits[resource])


def forget_limits(project_id: str) -> bool:
    """Back to the defaults. Tells whether the project had limits of its own."""
    return bool(QuotaGate.objects.filter(project_id=project_id, limit__isnull=False).update(limit=None))


def take(project_id: str, resource: str, count: int = 1) -> None:
    """Count ``count`` new rows, in the caller's transaction. Raises OverQuota."""
    if count and not _take(project_id, resource, count):
        _make_gates(project_id, [resource])
        if not _take(project_id, resource, count):
            raise OverQuota(overs=f"['{resource}']")


def take_always(project_id: str, resource: str, count: int = 1) -> None:
    """Count rows that the cloud itself makes; no limit holds them back."""
    if not QuotaGate.objects.filter(project_id=project_id, resource=resource).update(used=F("used") + count):
        _make_gates(project_id, [resource])
        QuotaGate.objects.filter(project_id=project_id, resource=resource).update(used=F("used") + count)


def give_back(project_id: str, resource: str, count: int = 1) -> None:
    """Rows are gone, in the caller's transaction."""
    if count:
        QuotaGate.objects.filter(project_id=project_id, resource=resource).update(used=F("used") - count)


def _take(project_id: str, resource: str, count: int) -> bool:
    default = default_limit(resource)
    fits = Q(limit__lt=0) | Q(limit__gte=F("used") + count)
    fits |= Q(limit__isnull=True) if default < 0 else Q(limit__isnull=True, used__lte=default - count)
    gate = QuotaGate.objects.filter(fits, project_id=project_id, resource=resource)
    return bool(gate.update(used=F("used") + count))


def _make_gates(project_id: str, resources: Iterable[str]) -> None:
    QuotaGate.objects.bulk_create(
        [QuotaGate(project_id=project_id, resource=resource) for resource in sorted(resources)], ignore_conflicts=True
    )
