"""Routers and their interfaces: rows only, nothing is routed yet."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from integrations.networks.models.base import Owned, OwnedQuerySet
from integrations.networks.models.port import Port
from integrations.networks.models.subnet import Subnet


class RouterQuerySet(OwnedQuerySet["Router"]):
    """Questions about routers."""


class Router(Owned):
    """A record of which subnets belong together. It forwards no packets."""

    admin_state_up = models.BooleanField(default=True)

    objects: ClassVar[RouterQuerySet] = RouterQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering: ClassVar = ["created_at", "id"]


class RouterInterface(models.Model):
    """One subnet on one router, through one port."""

    router = models.ForeignKey(Router, on_delete=models.PROTECT, related_name="interfaces")
    subnet = models.ForeignKey(Subnet, on_delete=models.PROTECT, related_name="router_interfaces")
    port = models.ForeignKey(Port, on_delete=models.PROTECT, related_name="router_interfaces")

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(name="subnet_once_per_router", fields=["router", "subnet"]),
            models.UniqueConstraint(name="port_subnet_on_one_router", fields=["port", "subnet"]),
        ]

    def __str__(self) -> str:
        return f"{self.subnet_id} on {self.router_id}"
