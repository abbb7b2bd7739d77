"""Who holds what: allocations by consumer, by provider and by project."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.db.models import Count, QuerySet, Sum

from hosts.api.placement.providers import Provider, load
from hosts.models import Allocation

Version = tuple[int, int]
CONSUMER_TYPES = {"instance": "INSTANCE", "move": "MIGRATION"}
CONSUMER_GENERATION = 1  # a consumer's rows are written once; a move makes rows of its own


def of_consumer(consumer_id: str, version: Version) -> dict[str, Any]:
    """GET /allocations/{consumer}; empty for one that holds nothing."""
    columns = ("host_id", "resource_class", "amount", "project_id", "user_id", "consumer_kind")
    rows = list(Allocation.objects.filter(consumer_id=consumer_id).values_list(*columns))
    if not rows:
        return {"allocations": {}}
    generations = {provider.uuid: provider.generation for provider in load({row[0] for row in rows})}
    resources: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for host_id, resource_class, amount, *_ in rows:
        resources[host_id][resource_class] += amount
    shown: dict[str, Any] = {
        "allocations": {
            host_id: {"resources": amounts, "generation": generations.get(host_id, 0)}
            for host_id, amounts in resources.items()
        }
    }
    *_, project_id, user_id, kind = rows[0]
    if version >= (1, 12):
        shown |= {"project_id": project_id, "user_id": user_id}
    if version >= (1, 28):
        shown["consumer_generation"] = CONSUMER_GENERATION
    if version >= (1, 38):
        shown["consumer_type"] = CONSUMER_TYPES.get(kind, "unknown")
    return shown


def of_provider(provider: Provider, version: Version) -> dict[str, Any]:
    """GET /resource_providers/{uuid}/allocations."""
    found: dict[str, dict[str, Any]] = {}
    rows = Allocation.objects.filter(host_id=provider.uuid).order_by("id")
    for consumer_id, resource_class, amount in rows.values_list("consumer_id", "resource_class", "amount"):
        holder = found.setdefault(consumer_id, {"resources": defaultdict(int)})
        holder["resources"][resource_class] += amount
        if version >= (1, 28):
            holder["consumer_generation"] = CONSUMER_GENERATION
    return {"allocations": found, "resource_provider_generation": provider.generation}


def of_project(project_id: str, user_id: str | None, consumer_type: str | None, version: Version) -> dict[str, Any]:
    """GET /usages; from 1.38 by type of consumer."""
    rows = Allocation.objects.filter(project_id=project_id)
    if user_id is not None:
        rows = rows.filter(user_id=user_id)
    if version < (1, 38):
        return {"usages": _sums(rows)}
    if consumer_type == "all":
        return {"usages": {"all": _counted(rows)}} if rows.exists() else {"usages": {}}
    usages = {}
    for kind, name in CONSUMER_TYPES.items():
        of_kind = rows.filter(consumer_kind=kind)
        if consumer_type in (None, name) and of_kind.exists():
            usages[name] = _counted(of_kind)
    return {"usages": usages}


def _sums(rows: QuerySet[Allocation]) -> dict[str, int]:
    return dict(rows.order_by().values_list("resource_class").annotate(Sum("amount")))


def _counted(rows: QuerySet[Allocation]) -> dict[str, int]:
    count = rows.order_by().aggregate(count=Count("consumer_id", distinct=True))["count"]
    return {"consumer_count": count, **_sums(rows)}
