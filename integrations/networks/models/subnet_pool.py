"""Subnet pools: address space from which subnets are cut."""

from __future__ import annotations

from typing import ClassVar, Self

from django.db import models
from django.db.models import Q

from computecloud.core.actor import Actor
from integrations.networks.models.base import Owned, OwnedQuerySet


class SubnetPoolQuerySet(OwnedQuerySet["SubnetPool"]):
    """Questions about subnet pools."""

    def for_actor(self, actor: Actor) -> Self:
        """Own pools and shared ones; all for an administrator."""
        return self if actor.is_admin else self.filter(Q(project_id=actor.project_id or "\0none") | Q(shared=True))


class SubnetPool(Owned):
    """Blocks of one IP version. Subnets cut from one pool never overlap, whatever their networks."""

    ip_version = models.PositiveSmallIntegerField(editable=False)
    prefixes = models.JSONField(default=list)
    default_prefixlen = models.PositiveSmallIntegerField()
    min_prefixlen = models.PositiveSmallIntegerField()
    max_prefixlen = models.PositiveSmallIntegerField()
    shared = models.BooleanField(default=False)
    is_default = models.BooleanField(default=False)

    objects: ClassVar[SubnetPoolQuerySet] = SubnetPoolQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering: ClassVar = ["created_at", "id"]
        constraints: ClassVar = [
            models.CheckConstraint(name="subnet_pool_ip_version", condition=Q(ip_version__in=[4, 6])),
            models.UniqueConstraint(
                name="one_default_subnet_pool_per_version", fields=["ip_version"], condition=Q(is_default=True)
            ),
        ]
