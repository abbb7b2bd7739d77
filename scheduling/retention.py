"""Decisions have their time, and what only they refer to goes with them."""

from __future__ import annotations

from datetime import timedelta

from computecloud.core.clock import utcnow
from operations.models.operation import later
from scheduling.models import Decision, Snapshot
from scheduling.snapshots import OLDEST_S

SLACK_S = 3600.0


def purge(retention_s: float) -> None:
    """Remove old decisions, and the snapshots that only such can refer to.

    Nobody refers to a load for longer than ``OLDEST_S``, and a stock and rules are taken up anew with each load: what
    was taken up before all decisions that are left needs no looking for who uses it, and no index for that.
    """
    Decision.objects.before(utcnow() - timedelta(seconds=retention_s)).delete()
    Snapshot.objects.filter(created_at__lt=later(-(retention_s + OLDEST_S + SLACK_S))).delete()
