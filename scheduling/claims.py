"""Claims are arithmetic: one conditional UPDATE per resource class, one row or the next candidate."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import F, Value
from django.db.models.functions import Greatest, Now

from hosts.models import Allocation, Inventory


class ClaimLost(Exception):
    """Somebody else took the room. The caller's transaction must be rolled back."""


def claim(
    consumer_id: str, host_id: str, resources: Mapping[str, int], project_id: str = "", user_id: str = ""
) -> None:
    """Take the amounts on the host, in the caller's transaction. Raises ClaimLost."""
    for name in sorted(resources):
        amount = resources[name]
        taken = Inventory.objects.filter(host_id=host_id, resource_class=name, used__lte=F("capacity") - amount).update(
            used=F("used") + amount, generation=F("generation") + 1, changed_at=Now()
        )
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
    held = Allocation.objects.filter(consumer_id=consumer_id, consumer_kind=consumer_kind)
    rows = sorted(held.values_list("host_id", "resource_class", "amount", "id"))
    if not rows:
        return 0
    freed = Allocation.objects.filter(id__in=[row[-1] for row in rows])._raw_delete(held.db)
    if freed != len(rows):  # another release came first, and subtracted
        return 0
    for host_id, name, amount, _row_id in rows:
        Inventory.objects.filter(host_id=host_id, resource_class=name).update(
            used=Greatest(F("used") - amount, Value(0)), generation=F("generation") + 1, changed_at=Now()
        )
    return freed
