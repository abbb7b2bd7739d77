"""Subnets and the addresses taken from them."""

from __future__ import annotations

from typing import ClassVar, Self

from django.db import models
from django.db.models import Q

from computecloud.core.actor import Actor
from integrations.networks.models.base import Owned, OwnedQuerySet
from integrations.networks.models.network import Network
from integrations.networks.models.subnet_pool import SubnetPool


class SubnetQuerySet(OwnedQuerySet["Subnet"]):
    """Questions about subnets."""

    def for_actor(self, actor: Actor) -> Self:
        """Own subnets and those of shared networks; all for an administrator."""
        if actor.is_admin:
            return self
        return self.filter(Q(project_id=actor.project_id or "\0none") | Q(network__shared=True))


class Subnet(Owned):
    """A block of addresses on a network. ``allocation_pools`` is a list of {start, end}, ends included."""

    network = models.ForeignKey(Network, on_delete=models.PROTECT, related_name="subnets", editable=False)
    subnet_pool = models.ForeignKey(
        SubnetPool, null=True, blank=True, on_delete=models.PROTECT, related_name="subnets", editable=False
    )
    ip_version = models.PositiveSmallIntegerField(editable=False)
    cidr = models.CharField(max_length=64, editable=False)
    gateway_ip = models.CharField(max_length=64, null=True, blank=True)
    enable_dhcp = models.BooleanField(default=True)
    ipv6_ra_mode = models.CharField(max_length=16, null=True, blank=True)
    ipv6_address_mode = models.CharField(max_length=16, null=True, blank=True)
    allocation_pools = models.JSONField(default=list)
    dns_nameservers = models.JSONField(default=list, blank=True)
    host_routes = models.JSONField(default=list, blank=True)

    objects: ClassVar[SubnetQuerySet] = SubnetQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering: ClassVar = ["created_at", "id"]
        constraints: ClassVar = [
            models.CheckConstraint(name="subnet_ip_version", condition=Q(ip_version__in=[4, 6])),
            models.UniqueConstraint(name="subnet_cidr_once_per_network", fields=["network", "cidr"]),
        ]

    def __str__(self) -> str:
        return f"{self.name or self.id} ({self.cidr})"

    @property
    def derives_addresses(self) -> bool:
        """Whether guests make their own address from their MAC here (SLAAC), so that we compute it."""
        return self.ip_version == 6 and self.ipv6_address_mode in ("slaac", "dhcpv6-stateless")


class FixedAddress(models.Model):
    """One address of one subnet in the hands of one port.

    ``order_key`` is the address as hexadecimal digits of fixed width, so that the database sorts it as a number
    (IPv6 does not fit an integer column).
    """

    subnet = models.ForeignKey(Subnet, on_delete=models.PROTECT, related_name="addresses")
    port = models.ForeignKey("networks.Port", on_delete=models.DO_NOTHING, related_name="fixed_addresses")
    address = models.CharField(max_length=64, db_index=True)
    order_key = models.CharField(max_length=32)

    class Meta:
        verbose_name_plural = "fixed addresses"
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(name="address_once_per_subnet", fields=["subnet", "address"]),
            models.UniqueConstraint(name="address_key_once_per_subnet", fields=["subnet", "order_key"]),
        ]

    def __str__(self) -> str:
        return self.address
