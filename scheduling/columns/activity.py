"""What goes on on hosts: how many servers they have, how many operations work their disks, builds that failed."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from django.db.models import Count

from hosts.models import Allocation
from operations.models import Operation

# What works a host's disk and network: Nova's "I/O operations".
BUSY_VERBS = frozenset(
    {"create", "rebuild", "resize", "migrate", "evacuate", "unshelve", "shelve", "rescue", "snapshot", "backup"}
    | {"create_image", "create_backup", "createImage", "createBackup"}
)


def io_ops() -> Mapping[str, int]:
    """Host id → open operations that keep it busy. One query over the open operations, which are few."""
    rows = Operation.objects.open().filter(host_id__isnull=False, verb__in=BUSY_VERBS)
    return dict(rows.order_by().values_list("host_id").annotate(Count("id")))


def servers(host_ids: Collection[str] | None = None) -> Mapping[str, int]:
    """Host id → servers that hold something there; of the named hosts, or of all."""
    rows = Allocation.objects.filter(consumer_kind="instance")
    if host_ids is not None:
        rows = rows.filter(host_id__in=list(host_ids))
    return dict(rows.order_by().values_list("host_id").annotate(Count("consumer_id", distinct=True)))
