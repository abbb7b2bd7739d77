"""Decisions have their time, and what only they refer to goes with them."""

from __future__ import annotations

from django.db.models import Exists, OuterRef

from operations.models.operation import later
from scheduling.models import Decision, Snapshot

LEAST_S = 24 * 3600.0
"""A snapshot is kept so long in any case: a scheduler may be about to refer to it (``snapshots.OLDEST_S``)."""


def purge(retention_s: float) -> None:
    """Remove old decisions, then the loads no decision refers to, then the stocks and rules nothing refers to."""
    Decision.objects.filter(created_at__lt=later(-retention_s)).delete()
    old = Snapshot.objects.filter(created_at__lt=later(-max(retention_s, LEAST_S)))
    of_load = Decision.objects.filter(snapshot=OuterRef("id"))
    of_stock = Snapshot.objects.filter(basis=OuterRef("id"))
    of_rules = Decision.objects.filter(rules=OuterRef("id"))
    old.filter(kind=Snapshot.Kind.LOAD).exclude(Exists(of_load)).delete()
    old.filter(kind=Snapshot.Kind.STOCK).exclude(Exists(of_stock)).delete()
    old.filter(kind=Snapshot.Kind.RULES).exclude(Exists(of_rules)).delete()
