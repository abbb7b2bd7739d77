"""Networks and the counter that hands out their VXLAN segments."""

from __future__ import annotations

from typing import ClassVar, Self

from django.db import models
from django.db.models import Q

from computecloud.core.actor import Actor
from integrations.networks.models.base import Owned, OwnedQuerySet

FIRST_SEGMENT = 1000
LAST_SEGMENT = 2**24 - 1


class NetworkQuerySet(OwnedQuerySet["Network"]):
    """Questions about networks."""

    def for_actor(self, actor: Actor) -> Self:
        """Own networks and those that everybody may see (shared or external); all for an administrator."""
        return self if actor.is_admin else self.visible_to(actor.project_id)

    def visible_to(self, project_id: str | None) -> Self:
        """The project's own networks and those that everybody may see."""
        return self.filter(Q(project_id=project_id or "\0none") | Q(shared=True) | Q(is_external=True))

    def attachable_by(self, project_id: str | None) -> Self:
        """Networks a project's servers may be plugged into: its own and the shared ones."""
        return self.filter(Q(project_id=project_id or "\0none") | Q(shared=True))


class Network(Owned):
    """A layer-2 domain: one VXLAN segment, carried by every host with a bound port on it."""

    admin_state_up = models.BooleanField(default=True)
    shared = models.BooleanField(default=False)
    is_external = models.BooleanField(default=False)
    port_security_enabled = models.BooleanField(default=True)
    mtu = models.PositiveIntegerField(default=1450)
    segment = models.PositiveIntegerField(unique=True, editable=False)

    objects: ClassVar[NetworkQuerySet] = NetworkQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering: ClassVar = ["created_at", "id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="network_segment_in_range", condition=Q(segment__gte=1) & Q(segment__lte=LAST_SEGMENT)
            ),
        ]


class SegmentCounter(models.Model):
    """The next VXLAN segment to hand out; one row.

    It only rises, so that a segment is not given to another project while a host may still carry its old use.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    next_segment = models.PositiveIntegerField(default=FIRST_SEGMENT)

    def __str__(self) -> str:
        return f"next segment: {self.next_segment}"
