"""Whether the books are balanced: what is used is what is allocated, groups are where they may be. Reads only; mending
is a recount.
"""

from __future__ import annotations

from functools import partial

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from hosts.models import Allocation, Inventory
from operations.drift import Drift
from scheduling import claims
from scheduling.models import GroupHome, GroupPlacement


def _held(what: Count | Sum) -> Coalesce:
    """What the allocations of an inventory come to."""
    held: QuerySet[Allocation] = Allocation.objects.filter(
        host_id=OuterRef("host_id"), resource_class=OuterRef("resource_class")
    )
    return Coalesce(Subquery(held.order_by().values("host_id").annotate(found=what).values("found")), 0)


def unbalanced_inventories() -> list[Drift]:
    """Inventories whose ``used`` is not the sum of their allocations, or is more than their capacity."""
    rows = Inventory.objects.annotate(held=_held(Sum("amount")), holders=_held(Count("id"))).select_related("host")
    wrong = [
        _drift(
            row,
            f", held {row.held} by {row.holders}, counted {row.consumers}",
            partial(claims.recount, row.host_id, row.resource_class, row.generation),
        )
        for row in rows.exclude(Q(used=F("held")) & Q(consumers=F("holders")))
    ]
    return wrong + [_drift(row, f" of {row.capacity}") for row in rows.filter(used__gt=F("capacity"), held__gt=0)]


def _drift(row: Inventory, against: str, mend: partial[bool] | None = None) -> Drift:
    return Drift(f"{row.host.name} {row.resource_class}: used {row.used}{against}", "host", row.host_id, mend)


def misplaced_members() -> list[Drift]:
    """Groups whose members are where the policy forbids, or whose home counts others than are there."""
    hard = GroupPlacement.objects.filter(is_hard=True).values("group_id", "host_id", "slot").annotate(n=Count("id"))
    found = [
        Drift(f"group {row['group_id']} has {row['n']} members in one place", "group", row["group_id"])
        for row in hard.filter(n__gt=1)
    ]
    members = GroupPlacement.objects.filter(group_id=OuterRef("group_id"))
    count = members.order_by().values("group_id").annotate(n=Count("id")).values("n")
    homes = GroupHome.objects.annotate(  # one statement: a cloud at work changes between two
        here=Coalesce(Subquery(count), 0), is_split=Exists(members.exclude(host_id=OuterRef("host_id")))
    )
    for home in homes.exclude(here=F("members"), is_split=False):
        text = f"group {home.group_id} counts {home.members} members on its host, which is not so"
        found.append(Drift(text, "group", home.group_id))
    return found
