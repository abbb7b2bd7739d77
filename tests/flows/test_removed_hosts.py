"""What the scheduler sees after a host was removed: change numbers go on, though the rows that had the highest went."""

from __future__ import annotations

from hosts.models import MEMORY_MB, Host, Inventory
from hosts.models.inventory import NextChange
from instances import fleet
from scheduling.fresh import FreshTable
from tests.support.machines import make_host


def free_mb(table: FreshTable, host: Host) -> int:
    table.refresh()
    return int(table.table.free(MEMORY_MB)[table.table.row_of[host.id]])


def change(host: Host, **facts: int) -> None:
    for row in Inventory.objects.filter(host=host):
        Inventory.objects.filter(pk=row.pk).update(change=NextChange(), **facts)


def test_changes_of_others_are_seen_after_a_host_left(db: None) -> None:
    stays, leaves = make_host("stays"), make_host("leaves")
    change(stays), change(leaves)
    table = FreshTable()
    before = free_mb(table, stays)
    fleet.remove_compute(fleet.service(leaves.id, by_uuid=True))
    change(stays, used=3)
    assert free_mb(table, stays) == before - 3


def test_what_the_next_host_offers_is_seen_after_the_only_one_left(db: None) -> None:
    leaves = make_host("leaves")
    change(leaves)
    table = FreshTable()
    table.refresh()
    fleet.remove_compute(fleet.service(leaves.id, by_uuid=True))
    table.refresh()
    comes = make_host("comes")
    rows = list(Inventory.objects.filter(host=comes).values())
    Inventory.objects.filter(host=comes).delete()  # it is enrolled, and has not registered yet
    table.refresh()
    for row in rows:
        Inventory.objects.create(**(row | {"change": NextChange()}))
    assert free_mb(table, comes) == 16384 - 512
