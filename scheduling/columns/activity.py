"""What goes on on hosts: how many open operations work their disks and networks."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import Count

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
