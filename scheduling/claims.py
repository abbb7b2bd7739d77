"""Claims are arithmetic: one conditional UPDATE per resource class, one row or the next candidate."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import F, Value
from django.db.models.functions import Greatest, Now

from hosts.models import Allocation, Inventory


class ClaimLost(Exception):
    """Somebody else took the room. The caller's transaction must be rolled back."""


def claim(consumer_id: str, host_id: str, resources: Mapping[str, int], project_id: str = "", user_id: str = "") -> None:
    """Take the amounts on the host, in the caller's transaction. Raises ClaimLost."""
    for name in sorted(resources):
        amount = resources[name]
        taken = Inventory.objects.filter(
            host_id=host_id, resource_class=name, used__lte=F("capacity") - amount
        ).update(used=F("used") + amount, generation=F("generation") + 1, changed_at=Now())
        if not taken:
            raise ClaimLost(name)
    Allocation.objects.bulk_create(
        Allocation(
            consumer_id=consumer_id,
            host_id=host_id,
            resource_class=name,
            amount=resources[name],
            project_id=project_id,
            user_id=user_id,
        )
        for name in sorted(resources)
    )


def release(consumer_id: str, consumer_kind: str = "instance") -> int:
    """Give back all that a consumer holds. Idempotent: only a row that this call deletes is subtracted."""
    freed = 0
    held = Allocation.objects.filter(consumer_id=consumer_id, consumer_kind=consumer_kind)
    for row_id, host_id, name, amount in held.order_by("host_id", "resource_class").values_list(
        "id", "host_id", "resource_class", "amount"
    ):
        deleted, _ = Allocation.objects.filter(id=row_id).delete()
        if not deleted:
            continue
        Inventory.objects.filter(host_id=host_id, resource_class=name).update(
            used=Greatest(F("used") - amount, Value(0)), generation=F("generation") + 1, changed_at=Now()
        )
        freed += 1
    return freed
