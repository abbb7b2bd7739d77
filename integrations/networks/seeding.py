"""What a new cloud is given: a network to start on, and limits other than the defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db import transaction

from integrations.networks import networks, quotas, subnets
from integrations.networks.models import Network, Subnet


@transaction.atomic
def ensure_network(
    project_id: str, name: str, cidr: str, *, dns: Sequence[str] = (), shared: bool = False, gateway: str | None = None
) -> str:
    """The id of the project's network of that name, made with one subnet when it is missing. Repeatable.

    Without ``gateway`` the subnet has none: nothing routes yet, so a guest is told of no way out.
    """
    network = Network.objects.filter(project_id=project_id, name=name).order_by("created_at", "id").first()
    if network is None:
        network = networks.create(project_id, {"name": name, "shared": shared})
    if not Subnet.objects.filter(network_id=network.id).exists():
        wanted = {"cidr": cidr, "ip_version": 4, "name": f"{name}-subnet", "dns_nameservers": list(dns)}
        subnets.create(network, project_id, {**wanted, "gateway_ip": gateway})
    return network.id


@transaction.atomic
def set_quotas(project_id: str, limits: Mapping[str, int]) -> None:
    """Limits of one project by resource name (``port``, ``security_group``, ...); -1 is unlimited."""
    quotas.set_limits(project_id, limits)
