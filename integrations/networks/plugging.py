"""Ports in the hands of servers: made, bound to a host, moved, let go. Each function is safe to repeat."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Max

from computecloud.core.clock import utcnow
from integrations.networks import ports
from integrations.networks.errors import (
    FixedIpAlreadyInUse,
    IpAddressAlreadyAllocated,
    IpAddressGenerationFailure,
    NoMoreFixedIps,
    OverQuota,
    PortLimitExceeded,
    RequestedNetworkNotFound,
    RequestedPortInUse,
)
from integrations.networks.hosts_view import made_infos, nics
from integrations.networks.models import Network, Port, Subnet
from integrations.networks.plans import group_ids
from integrations.networks.ports import AddressWish, MadePort, NewPort
from integrations.networks.values import PortInfo, PortPlan, ServerRef


def allocate(
    server: ServerRef,
    plans: Sequence[PortPlan],
    security_group_names: Sequence[str],
    host_id: str,
    host_name: str,
) -> list[PortInfo]:
    """Make and bind the server's ports on a host, in the caller's transaction; all nics of the server, in order.

    ``security_group_names`` may hold names and ids; existing ports keep their own groups. Raises RequestedPortInUse,
    FixedIpAlreadyInUse, NoMoreFixedIps, PortLimitExceeded, RequestedNetworkNotFound, RequestedGroupNotFound.
    """
    if not plans:
        return []
    last = Port.objects.filter(server_id=server.id).aggregate(last=Max("position"))["last"]
    numbered = list(enumerate(plans, start=0 if last is None else last + 1))
    for position, plan in numbered:
        if plan.port_id:
            _bind(server, position, plan, host_id, host_name)
    made = _make(server, [one for one in numbered if not one[1].port_id], security_group_names, host_id, host_name)
    return made_infos(made) if len(made) == len(plans) and last is None else nics(server.id)


def _owned(server: ServerRef, position: int, plan: PortPlan, host_id: str, host_name: str) -> dict[str, object]:
    """The columns that say: this server holds the port, on this host."""
    return {
        "server_id": server.id,
        "position": position,
        "tag_in_server": plan.tag or "",
        "device_id": server.id,
        "device_owner": f"compute:{server.availability_zone}",
        "host_id": host_id,
        "host_name": host_name,
    }


def _bind(server: ServerRef, position: int, plan: PortPlan, host_id: str, host_name: str) -> None:
    free = Port.objects.filter(id=plan.port_id, server_id="", device_id="")
    columns = _owned(server, position, plan, host_id, host_name)
    if not free.update(**columns, updated_at=utcnow()):
        raise RequestedPortInUse(port_id=plan.port_id)


def _make(
    server: ServerRef,
    numbered: Sequence[tuple[int, PortPlan]],
    security_group_names: Sequence[str],
    host_id: str,
    host_name: str,
) -> list[MadePort]:
    if not numbered:
        return []
    ids = {plan.network_id for _, plan in numbered}
    subnets = list(Subnet.objects.filter(network_id__in=ids).select_related("network"))
    networks = {subnet.network_id: subnet.network for subnet in subnets}
    if ids - networks.keys():
        networks |= Network.objects.in_bulk(ids - networks.keys())
    groups = group_ids(server.project_id, security_group_names)
    new = [
        _new_port(server, position, plan, networks, groups, _owned(server, position, plan, host_id, host_name))
        for position, plan in numbered
    ]
    try:
        return ports.create(new, subnets)
    except IpAddressAlreadyAllocated as taken:
        raise FixedIpAlreadyInUse(address=taken.facts["ip"], instance_id="another") from taken
    except IpAddressGenerationFailure as full:
        raise NoMoreFixedIps(network_id=full.facts["net_id"]) from full
    except OverQuota as over:
        raise PortLimitExceeded from over


def _new_port(
    server: ServerRef,
    position: int,
    plan: PortPlan,
    networks: dict[str, Network],
    groups: Sequence[str],
    columns: dict[str, object],
) -> NewPort:
    network = networks.get(plan.network_id)
    if network is None:
        raise RequestedNetworkNotFound(network_id=plan.network_id)
    secured = network.port_security_enabled
    return NewPort(
        network=network,
        project_id=server.project_id,
        addresses=[AddressWish(address=plan.fixed_ip)] if plan.fixed_ip else None,
        group_ids=groups if secured else (),
        columns={**columns, "made_for_server": True, "port_security_enabled": secured},
    )


def release(server_id: str) -> None:
    """End the ports made for the server and let go of those its owner gave. Repeatable."""
    _let_go(list(Port.objects.filter(server_id=server_id)))


def release_port(server_id: str, port_id: str) -> bool:
    """The same for one nic. Tells whether the server held that port."""
    held = list(Port.objects.filter(server_id=server_id, id=port_id))
    _let_go(held)
    return bool(held)


def _let_go(held: Sequence[Port]) -> None:
    ports.delete([port for port in held if port.made_for_server])
    given = [port.id for port in held if not port.made_for_server]
    if given:
        Port.objects.filter(id__in=given).update(
            server_id="", device_id="", device_owner="", host_id="", host_name="", tag_in_server="", position=0,
            status="DOWN", updated_at=utcnow(),
        )  # fmt: skip


def move(server_id: str, host_id: str, host_name: str) -> list[PortInfo]:
    """Bind the server's ports to another host."""
    Port.objects.filter(server_id=server_id).update(
        host_id=host_id, host_name=host_name, status="DOWN", updated_at=utcnow()
    )
    return nics(server_id)


def plugged(server_id: str) -> None:
    """The host reports the server's nics plugged: its ports become ACTIVE."""
    Port.objects.filter(server_id=server_id).exclude(status="ACTIVE").update(status="ACTIVE", updated_at=utcnow())


def unplugged(server_id: str) -> None:
    """The server is off, so its ports are DOWN; their addresses stay."""
    Port.objects.filter(server_id=server_id).exclude(status="DOWN").update(status="DOWN", updated_at=utcnow())
