"""Ports: where something (a server, a DHCP responder, a router) meets a network."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from integrations.networks.models.base import Owned, OwnedQuerySet
from integrations.networks.models.network import Network

DHCP_OWNER = "network:dhcp"
ROUTER_OWNER = "network:router_interface"


class PortQuerySet(OwnedQuerySet["Port"]):
    """Questions about ports."""


class Port(Owned):
    """One connection point with a MAC address.

    ``device_id`` and ``device_owner`` are what clients see and may write. ``server_id`` is set by the facade alone:
    only it says that a server holds the port, so that nobody can put a port into another project's server.
    """

    network = models.ForeignKey(Network, on_delete=models.PROTECT, related_name="ports", editable=False)
    mac_address = models.CharField(max_length=17)
    admin_state_up = models.BooleanField(default=True)
    status = models.CharField(max_length=16, default="DOWN", editable=False)
    device_id = models.CharField(max_length=255, blank=True, default="", db_index=True)
    device_owner = models.CharField(max_length=255, blank=True, default="")
    port_security_enabled = models.BooleanField(default=True)
    vnic_type = models.CharField(max_length=32, default="normal")
    profile = models.JSONField(default=dict, blank=True)
    host_name = models.CharField(max_length=255, blank=True, default="")
    host_id = models.CharField(max_length=64, blank=True, default="", editable=False)
    server_id = models.CharField(max_length=64, blank=True, default="", editable=False)
    made_for_server = models.BooleanField(default=False, editable=False)
    tag_in_server = models.CharField(max_length=60, blank=True, default="", editable=False)
    position = models.PositiveSmallIntegerField(default=0, editable=False)
    extra_dhcp_opts = models.JSONField(default=list, blank=True)

    objects: ClassVar[PortQuerySet] = PortQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering: ClassVar = ["created_at", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(name="mac_once_per_network", fields=["network", "mac_address"]),
            models.UniqueConstraint(
                name="one_dhcp_port_per_network", fields=["network"], condition=Q(device_owner=DHCP_OWNER)
            ),
            # two workers that give one server its nics at once cannot both win
            models.UniqueConstraint(
                name="one_port_per_nic_of_a_server", fields=["server_id", "position"], condition=~Q(server_id="")
            ),
        ]
        indexes: ClassVar = [
            models.Index(name="port_on_host", fields=["host_id"], condition=~Q(host_id="")),
        ]


class PortSecurityGroup(models.Model):
    """One port in one security group."""

    port = models.ForeignKey(Port, on_delete=models.DO_NOTHING, related_name="group_links")
    group = models.ForeignKey("networks.SecurityGroup", on_delete=models.PROTECT, related_name="port_links")

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(name="port_once_per_security_group", fields=["port", "group"]),
        ]

    def __str__(self) -> str:
        return f"{self.port_id} in {self.group_id}"
