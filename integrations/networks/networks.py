"""Networks: made with a segment of their own, ended with what the cloud put on them."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction

from computecloud.conf import conf
from computecloud.core.clock import utcnow
from integrations.networks import allocation, news, ports, quotas, subnets
from integrations.networks.errors import InvalidInput, InvalidSharedSetting, NetworkInUse, TunnelIdInUse
from integrations.networks.groups import default_group_id
from integrations.networks.models import DHCP_OWNER, Network, Port, Subnet, Tag

SMALLEST_MTU = 68
CHANGEABLE = ("name", "description", "admin_state_up", "shared", "is_external", "port_security_enabled", "mtu")


def create(project_id: str, wanted: dict[str, Any], segment: int | None = None) -> Network:
    """A network from columns; ``segment`` only when an administrator chose one. Raises OverQuota, TunnelIdInUse."""
    columns = {name: wanted[name] for name in CHANGEABLE if name in wanted}
    columns["mtu"] = _mtu(columns.get("mtu"))
    default_group_id(project_id)
    quotas.take(project_id, "network")
    chosen = segment if segment is not None else allocation.next_segment()
    try:
        with transaction.atomic():
            return Network.objects.create(project_id=project_id, segment=chosen, **columns)
    except IntegrityError:
        raise TunnelIdInUse(tunnel_id=chosen) from None


def _mtu(wanted: int | str | None) -> int:
    """Clients send text too; 0 means the largest, as in Neutron."""
    largest = conf().network_mtu
    chosen = int(wanted or 0) or largest
    if not SMALLEST_MTU <= chosen <= largest:
        raise InvalidInput(error_message=f"Requested MTU is out of range: {SMALLEST_MTU} to {largest}")
    return chosen


def update(network: Network, changes: dict[str, Any]) -> None:
    """Change columns of ``CHANGEABLE``."""
    if network.shared and changes.get("shared") is False:
        _refuse_foreign_ports(network)
    for name in CHANGEABLE:
        if name in changes:
            setattr(network, name, _mtu(changes["mtu"]) if name == "mtu" else changes[name])
    network.updated_at, network.revision = utcnow(), network.revision + 1
    network.save(force_update=True, update_fields=[*CHANGEABLE, "updated_at", "revision"])
    if {"name", "mtu"} & changes.keys():
        news.of_network(network.id)


def _refuse_foreign_ports(network: Network) -> None:
    others = Port.objects.filter(network_id=network.id).exclude(project_id=network.project_id)
    if others.exclude(device_owner__startswith="network:").exists():
        raise InvalidSharedSetting(network=network.name)


def delete(network: Network) -> None:
    """End a network, its subnets and its DHCP port. Raises NetworkInUse."""
    if Port.objects.filter(network_id=network.id).exclude(device_owner=DHCP_OWNER).exists():
        raise NetworkInUse(net_id=network.id)
    try:
        with transaction.atomic():
            ports.delete(list(Port.objects.filter(network_id=network.id, device_owner=DHCP_OWNER)))
            subnets.remove(list(Subnet.objects.filter(network_id=network.id)))
            Tag.objects.filter(kind="networks", resource_id=network.id).delete()
            Network.objects.filter(id=network.id).delete()
    except IntegrityError:  # a port came in between
        raise NetworkInUse(net_id=network.id) from None
    quotas.give_back(network.project_id, "network")
