"""Whether the books are balanced: what is used is what is allocated. Reads only; there is nothing to repair by hand."""

from __future__ import annotations

from django.db.models import F, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce

from hosts.models import Allocation, Inventory


def unbalanced_inventories() -> list[str]:
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
        f"{row.host.name} {row.resource_class}: used {row.used}, held {row.held}"
        for row in rows.exclude(used=F("held"))
    ]
    over = rows.filter(used__gt=F("capacity"), held__gt=0)
    return wrong + [f"{row.host.name} {row.resource_class}: used {row.used} of {row.capacity}" for row in over]
