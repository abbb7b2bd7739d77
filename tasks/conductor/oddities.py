"""Keeps what a host reports and no row explains; and says what of it an administrator wants removed."""

from __future__ import annotations

from collections.abc import Mapping

from hosts.models import Oddity
from operations.models import Event
from tasks.conductor import wire

FOR_EVER = 2**31 - 1  # the epoch of an owner that will never come: the host's journal lets nobody in after it
MOST = 1000

Seen = Mapping[tuple[str, str], str]  # (kind, guest id) -> detail


def record(host_id: str, seen: Seen) -> list[wire.Bell]:
    """The host's oddities are exactly ``seen`` from now on. Answers the condemned guests among them."""
    known = {(row.kind, row.guest_id): row for row in Oddity.objects.filter(host_id=host_id)}
    over = [row.id for key, row in known.items() if key not in seen]
    if over:
        Oddity.objects.filter(id__in=over).delete()
    fresh = [key for key in seen if key not in known][:MOST]
    Oddity.objects.bulk_create(
        [Oddity(host_id=host_id, kind=kind, guest_id=guest, detail=seen[kind, guest][:255]) for kind, guest in fresh],
        ignore_conflicts=True,
    )
    for kind, guest_id in fresh:
        Event.note("host.oddity.seen", "host", host_id, what=kind, guest_id=guest_id)
    return [
        wire.Bell(row.guest_id, FOR_EVER)
        for (kind, guest_id), row in known.items()
        if row.condemned_at is not None and (kind, guest_id) in seen
    ]
