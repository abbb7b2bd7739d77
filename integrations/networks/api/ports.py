"""``/v2.0/ports``: who may write which attribute of a port is decided here (S33, S37)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.http import HttpResponse

from computecloud.core.clock import utcnow
from computecloud.core.errors import NotFound
from computecloud.http.answers import empty
from integrations.networks import dhcp_options, groups, news, ports
from integrations.networks.api import schemas, shapes
from integrations.networks.api.bodies import accepts
from integrations.networks.api.lists import OWNED_SORT, Listing, boolean, owned, text
from integrations.networks.api.resource import CollectionViewSet, owner, require
from integrations.networks.errors import (
    HTTPBadRequest,
    MacAddressInUse,
    NetworkNotFound,
    PolicyNotAuthorized,
    PortBound,
    PortInUse,
    PortNotFound,
    PortSecurityAndIPRequiredForSecurityGroups,
    PortSecurityPortHasSecurityGroup,
    ServicePortInUse,
)
from integrations.networks.models import (
    DHCP_OWNER,
    ROUTER_OWNER,
    FixedAddress,
    Network,
    Port,
    PortSecurityGroup,
    Subnet,
)
from integrations.networks.models.port import PortQuerySet
from integrations.networks.ports import AddressWish, NewPort

PLAIN = ("name", "description", "admin_state_up", "device_id", "device_owner")
BINDING = {"binding:host_id": "host_name", "binding:profile": "profile", "binding:vnic_type": "vnic_type"}
OURS = (DHCP_OWNER, ROUTER_OWNER)


def _by_address(values: Sequence[str]) -> Q:
    """``fixed_ips=ip_address=10.0.0.3``, ``subnet_id=``, ``ip_address_substr=``; several of a kind are alternatives."""
    asked: dict[str, list[str]] = {}
    for value in values:
        for part in value.split(","):
            name, _, wanted = part.partition("=")
            if name not in ("ip_address", "subnet_id", "ip_address_substr"):
                raise HTTPBadRequest(f"Invalid input for fixed_ips. Reason: '{value[:60]}' names no known attribute.")
            asked.setdefault(name, []).append(wanted)
    rows = FixedAddress.objects.all()
    if "ip_address" in asked:
        rows = rows.filter(address__in=asked["ip_address"])
    if "subnet_id" in asked:
        rows = rows.filter(subnet_id__in=asked["subnet_id"])
    some = Q()
    for piece in asked.get("ip_address_substr", []):
        some |= Q(address__contains=piece)
    return Q(id__in=rows.filter(some).values("port_id"))


def _by_group(values: Sequence[str]) -> Q:
    return Q(id__in=PortSecurityGroup.objects.filter(group_id__in=values).values("port_id"))


def _by_mac(values: Sequence[str]) -> Q:
    return Q(mac_address__in=[value.lower() for value in values])


def _by_owner(values: Sequence[str]) -> Q:
    return Q(device_owner__in=values)


class PortsViewSet(CollectionViewSet):
    """Ports."""

    policy = {
        "list": "get_port",
        "retrieve": "get_port",
        "create": "create_port",
        "update": "update_port",
        "destroy": "delete_port",
    }
    one, many, views = "port", "ports", staticmethod(shapes.ports)
    listing = Listing(
        owned("ports")
        | {
            "network_id": text("network_id"),
            "device_id": text("device_id"),
            "device_owner": _by_owner,
            "mac_address": _by_mac,
            "status": text("status"),
            "admin_state_up": boolean("admin_state_up"),
            "port_security_enabled": boolean("port_security_enabled"),
            "fixed_ips": _by_address,
            "ip_address": lambda values: _by_address([f"ip_address={value}" for value in values]),
            "security_groups": _by_group,
            "binding:vnic_type": text("vnic_type"),
        },
        OWNED_SORT
        | {name: name for name in ("network_id", "mac_address", "status", "device_id", "device_owner")}
        | {"admin_state_up": "admin_state_up"},
        {"binding:host_id": text("host_name")},
    )

    def rows(self) -> PortQuerySet:
        return Port.objects.for_actor(self.actor)

    def missing(self, pk: str) -> NotFound:
        return PortNotFound(port_id=pk[:64])

    @accepts(schemas.PORT_CREATE)
    @transaction.atomic
    def create(self, request: Any, body: dict[str, Any]) -> HttpResponse:
        new = [self._planned(wanted) for wanted in self.wanted(body)]
        subnets = Subnet.objects.filter(network_id__in={port.network.id for port in new})
        made = ports.create(new, list(subnets))
        return self.answer_made(body, [one.port.id for one in made])

    def _planned(self, wanted: dict[str, Any]) -> NewPort:
        project_id = owner(self.actor, wanted)
        network = self._network(wanted["network_id"])
        self._check_rights("create", network, wanted)
        secured = wanted.get("port_security_enabled", network.port_security_enabled)
        return NewPort(
            network=network,
            project_id=project_id,
            mac=wanted["mac_address"].lower() if wanted.get("mac_address") else None,
            addresses=_wishes(wanted["fixed_ips"]) if "fixed_ips" in wanted else None,
            group_ids=self._groups(project_id, wanted, secured=secured),
            columns=_columns(wanted)
            | {
                "port_security_enabled": secured,
                "extra_dhcp_opts": dhcp_options.merge([], wanted.get("extra_dhcp_opts") or []),
            },
        )

    def _network(self, network_id: str) -> Network:
        """A network that the caller may put a port on: one that is only visible, as an external one is, is not."""
        rows = Network.objects.all()
        if not self.actor.is_admin:
            rows = Network.objects.attachable_by(self.actor.project_id)
        found = rows.filter(id=network_id).first()
        if found is None:
            raise NetworkNotFound(net_id=network_id)
        return found

    def _groups(self, project_id: str, wanted: dict[str, Any], *, secured: bool) -> list[str]:
        given = wanted.get("security_groups")
        if given and not secured:
            raise PortSecurityAndIPRequiredForSecurityGroups
        if given is not None:
            return groups.for_port(self.actor, project_id, given)
        if not secured or wanted.get("device_owner", "").startswith("network:"):
            return []
        return [groups.default_group_id(project_id)]

    def _check_rights(self, verb: str, network: Network, wanted: dict[str, Any]) -> None:
        """Which attributes this caller may write. Raises PolicyNotAuthorized."""
        if any(name in wanted for name in BINDING if name != "binding:vnic_type"):
            require(self.actor, f"{verb}_port:binding")
        device_owner = wanted.get("device_owner", "")
        if device_owner.lower().startswith("network:"):
            require(self.actor, f"{verb}_port:device_owner:network")
        if device_owner.lower() in OURS:
            raise HTTPBadRequest(f"Invalid input for device_owner. Reason: {device_owner} is set by the cloud itself.")
        if network.project_id == self.actor.project_id:
            return
        if wanted.get("mac_address"):
            require(self.actor, f"{verb}_port:mac_address:foreign")
        if any("ip_address" in one for one in wanted.get("fixed_ips", [])):
            require(self.actor, f"{verb}_port:fixed_ips:foreign")
        if "port_security_enabled" in wanted:
            require(self.actor, f"{verb}_port:port_security:foreign")

    @accepts(schemas.PORT_UPDATE)
    @transaction.atomic
    def update(self, request: Any, pk: str, body: dict[str, Any]) -> HttpResponse:
        port = self.find_own(pk)
        changes = body["port"]
        self._check_rights("update", port.network, changes)
        _refuse_held(port, changes)
        self._change_security(port, changes)
        if "mac_address" in changes:
            _change_mac(port, changes["mac_address"].lower())
        if "fixed_ips" in changes:
            subnets = list(Subnet.objects.filter(network_id=port.network_id))
            ports.readdress(port, subnets, _wishes(changes["fixed_ips"]))
        if "extra_dhcp_opts" in changes:
            port.extra_dhcp_opts = dhcp_options.merge(port.extra_dhcp_opts, changes["extra_dhcp_opts"] or [])
        for column, value in _columns(changes).items():
            setattr(port, column, value)
        port.updated_at, port.revision = utcnow(), port.revision + 1
        port.save(force_update=True)
        news.of_port(port)
        return self.answer_one(request, port.id)

    def _change_security(self, port: Port, changes: dict[str, Any]) -> None:
        secured = changes.get("port_security_enabled", port.port_security_enabled)
        if "security_groups" in changes:
            wanted = self._groups(
                port.project_id, {"security_groups": changes["security_groups"] or []}, secured=secured
            )
            PortSecurityGroup.objects.filter(port_id=port.id).delete()
            groups.put_ports_in((port.id, group_id) for group_id in wanted)
        elif not secured and PortSecurityGroup.objects.filter(port_id=port.id).exists():
            raise PortSecurityPortHasSecurityGroup
        port.port_security_enabled = secured

    @transaction.atomic
    def destroy(self, request: Any, pk: str) -> HttpResponse:
        port = self.find_own(pk)
        if port.device_owner in OURS:
            raise ServicePortInUse(port_id=port.id, reason=f"has device owner {port.device_owner}")
        if port.server_id:
            raise PortInUse(port_id=port.id, net_id=port.network_id, device_id=port.device_id)
        ports.delete([port])
        return empty()


def _columns(wanted: dict[str, Any]) -> dict[str, Any]:
    """The columns that are written as they were asked for."""
    found = {name: wanted[name] for name in PLAIN if name in wanted}
    for name, column in BINDING.items():
        if name in wanted:
            found[column] = wanted[name] if wanted[name] is not None else {} if column == "profile" else ""
    return found


def _wishes(fixed_ips: Sequence[dict[str, str]]) -> list[AddressWish]:
    return [AddressWish(one.get("subnet_id"), one.get("ip_address")) for one in fixed_ips]


def _refuse_held(port: Port, changes: dict[str, Any]) -> None:
    """What a server or a router holds stays as they need it."""
    held = bool(port.server_id) or port.device_owner in OURS
    moved = any(name in changes and changes[name] != getattr(port, name) for name in ("device_id", "device_owner"))
    if held and moved:
        raise PortInUse(port_id=port.id, net_id=port.network_id, device_id=port.device_id)
    if port.device_owner == DHCP_OWNER and {"fixed_ips", "mac_address", "security_groups"} & changes.keys():
        raise PolicyNotAuthorized(action="update_port")
    if port.server_id and changes.get("binding:host_id", port.host_name) != port.host_name:
        raise PortInUse(port_id=port.id, net_id=port.network_id, device_id=port.device_id)


def _change_mac(port: Port, mac: str) -> None:
    if mac == port.mac_address:
        return
    if port.host_name:
        raise PortBound(port_id=port.id, vif_type="bridge", old_mac=port.mac_address, new_mac=mac)
    if Port.objects.filter(network_id=port.network_id, mac_address=mac).exists():
        raise MacAddressInUse(net_id=port.network_id, mac=mac)
    port.mac_address = mac
