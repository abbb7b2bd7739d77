"""A database that is older than the world: what is made of its open work, and when the cloud may go on (F25).

The setting ``restoring`` holds everything still meanwhile; ``tasks/conductor/adoption.py`` lets servers follow guests.
"""

from __future__ import annotations

from django.db.models.functions import Now

from computecloud.conf import conf
from hosts.models import Host, Oddity
from operations.models import Operation
from operations.models.operation import State, later


def begin() -> None:
    """No host counts as heard, nobody holds a lease, and no deadline passes while people decide."""
    Host.objects.alive().update(last_seen_at=None, lease_expires_at=None, changed_at=Now())
    Oddity.objects.all().delete()
    renew_deadlines()


def renew_deadlines() -> int:
    """Open operations wait again, as if they had just been accepted."""
    return Operation.objects.open().update(
        state=State.PENDING, runner="", lease_until=None, rung_at=None, updated_at=Now(),
        deadline_at=later(conf().operation_deadline_s),
    )  # fmt: skip


def undecided() -> list[str]:
    """What an administrator has to know before the cloud goes on; empty when nothing speaks against it."""
    silent = Host.objects.alive().filter(last_seen_at__isnull=True).order_by("name")
    found = [f"host {name} has not reported yet" for name in silent.values_list("name", flat=True)]
    strangers = Oddity.objects.filter(kind=Oddity.Kind.UNKNOWN_GUEST, condemned_at__isnull=True).select_related("host")
    return found + [
        f"host {row.host.name} has guest {row.guest_id} ({row.detail}), which the backup does not know"
        for row in strangers
    ]
