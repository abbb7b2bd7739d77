"""Whether the books are balanced: what is used is what is allocated. Reads only; mending is a recount."""

from __future__ import annotations

from functools import partial

from django.db.models import F, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce

from hosts.models import Allocation, Inventory
from operations.drift import Drift
from scheduling import claims


def unbalanced_inventories() -> list[Drift]:
    """Inventories whose ``used`` is not the sum of their allocations, or is more than their capacity."""
    held = (
        Allocation.objects.filter(host_id=OuterRef("host_id"), resource_class=OuterRef("resource_class"))
        .order_by()
        .values("host_id")
        .annotate(sum=Sum("amount"))
        .values("sum")
    )
    rows = Inventory.objects.annotate(held=Coalesce(Subquery(held), 0)).select_related("host")
    wrong = [
        _drift(row, f", held {row.held}", partial(claims.recount, row.host_id, row.resource_class, row.generation))
        for row in rows.exclude(used=F("held"))
    ]
    return wrong + [_drift(row, f" of {row.capacity}") for row in rows.filter(used__gt=F("capacity"), held__gt=0)]


def _drift(row: Inventory, against: str, mend: partial[bool] | None = None) -> Drift:
    return Drift(f"{row.host.name} {row.resource_class}: used {row.used}{against}", "host", row.host_id, mend)
