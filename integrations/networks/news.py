"""News upward: servers whose nics look different now. Written to the outbox in the transaction of the change."""

from __future__ import annotations

from collections.abc import Iterable

from integrations.networks.models import FixedAddress, Port
from operations.models import Outbox

TOPIC = "port.updated"


def of_port(port: Port) -> None:
    """A port changed: its server, if it is in one's hands, hears of it."""
    if port.server_id:
        _tell([port.server_id])


def of_subnet(subnet_id: str) -> None:
    """What guests are told about a subnet changed: every server with an address there hears of it."""
    held = FixedAddress.objects.filter(subnet_id=subnet_id).exclude(port__server_id="")
    _tell(held.values_list("port__server_id", flat=True))


def of_network(network_id: str) -> None:
    """A network's name, MTU or DHCP address changed: every server on it hears of it."""
    held = Port.objects.filter(network_id=network_id).exclude(server_id="")
    _tell(held.values_list("server_id", flat=True))


def _tell(server_ids: Iterable[str]) -> None:
    Outbox.objects.bulk_create([Outbox(topic=TOPIC, body={"device_id": one}) for one in sorted(set(server_ids))])
