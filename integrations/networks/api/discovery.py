"""Version documents, extensions, and the collections that are offered but empty."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from computecloud.http.answers import answer
from computecloud.http.pagination import public_link
from integrations.networks.api.bodies import accepts
from integrations.networks.api.resource import NetworkViewSet
from integrations.networks.api.schemas import ANYTHING
from integrations.networks.errors import AgentNotFound, ExtensionNotFound, FloatingIPNotFound, FloatingIpNotOffered

V2 = "/network/v2.0"
RESOURCES = {
    "network": "networks", "subnet": "subnets", "subnetpool": "subnetpools", "port": "ports", "router": "routers",
    "security_group": "security-groups", "security_group_rule": "security-group-rules", "quota": "quotas",
    "floatingip": "floatingips", "extension": "extensions", "availability_zone": "availability_zones",
    "agent": "agents",
}  # fmt: skip

# Only what is really so: clients switch behaviour on by these.
EXTENSIONS: dict[str, tuple[str, str]] = {
    "agent": ("agent", "Lists the hosts' agents; there are none of Neutron's kinds."),
    "availability_zone": ("Availability Zone", "Lists availability zones of the network service."),
    "binding": ("Port Binding", "Shows administrators the host of a port."),
    "default-subnetpools": ("Default Subnetpools", "A default subnet pool for each IP version."),
    "empty-string-filtering": ("Empty String Filtering Extension", "Filters by an empty text."),
    "external-net": ("Neutron external network", "Marks networks as external. They carry no external traffic yet."),
    "extra_dhcp_opt": ("Neutron Extra DHCP options", "Extra DHCP options of ports. Hosts do not hand them out yet."),
    "filter-validation": ("Filter parameters validation", "Refuses unknown filters."),
    "ip-substring-filtering": ("IP address substring filtering", "Filters ports by a part of an address."),
    "net-mtu": ("Network MTU", "Shows a network's MTU."),
    "net-mtu-writable": ("Network MTU (writable)", "Sets a network's MTU."),
    "pagination": ("Pagination support", "Lists in pages."),
    "port-security": ("Port Security", "Switches a port's protection off."),
    "port-security-groups-filtering": ("Port filtering on security groups", "Filters ports by security group."),
    "project-id": ("project_id field enabled", "Shows project_id beside tenant_id."),
    "provider": ("Provider Network", "Shows administrators a network's segment."),
    "quota-check-limit": ("Quota engine limit check", "Refuses limits below what is used, when asked to."),
    "quotas": ("Quota management support", "Limits per project."),
    "quota_details": ("Quota details management support", "Limits and use per project."),
    "router": ("Neutron L3 Router", "Router and interface records. They route nothing yet."),
    "security-group": ("security-group", "Security groups and rules. Hosts do not enforce them yet."),
    "sorting": ("Sorting support", "Sorts lists."),
    "standard-attr-description": ("standard-attr-description", "Descriptions."),
    "standard-attr-revisions": ("Resource revision numbers", "Counts the changes of a row."),
    "standard-attr-tag": ("Tag support for resources with standard attribute", "Tags."),
    "standard-attr-timestamp": ("Resource timestamps", "When a row was made and changed."),
    "subnet_allocation": ("Subnet Allocation", "Cuts subnets from subnet pools."),
}


class VersionsViewSet(NetworkViewSet):
    """Version documents."""

    policy = {"root": "get_network_versions", "v2": "get_network_versions"}

    def root(self, request: Any) -> HttpResponse:
        link = {"rel": "self", "href": public_link(f"{V2}/")}
        return answer({"versions": [{"id": "v2.0", "status": "CURRENT", "links": [link]}]})

    def v2(self, request: Any) -> HttpResponse:
        resources = [
            {"name": name, "collection": path, "links": [{"rel": "self", "href": public_link(f"{V2}/{path}")}]}
            for name, path in RESOURCES.items()
        ]
        return answer({"resources": resources})


def _extension(alias: str) -> dict[str, Any]:
    name, description = EXTENSIONS[alias]
    return {
        "alias": alias, "name": name, "description": description, "updated": "2026-11-22T00:00:00-00:00", "links": []
    }  # fmt: skip


class ExtensionsViewSet(NetworkViewSet):
    """What this service offers beyond networks, subnets and ports."""

    policy = {"list": "get_extensions", "retrieve": "get_extensions"}

    def list(self, request: Any) -> HttpResponse:
        return answer({"extensions": [_extension(alias) for alias in EXTENSIONS]})

    def retrieve(self, request: Any, pk: str) -> HttpResponse:
        if pk not in EXTENSIONS:
            raise ExtensionNotFound(alias=pk[:64])
        return answer({"extension": _extension(pk)})


class FloatingIpsViewSet(NetworkViewSet):
    """Floating addresses: none, because no external network routes."""

    policy = {
        "list": "get_floatingip",
        "retrieve": "get_floatingip",
        "create": "create_floatingip",
        "update": "update_floatingip",
        "destroy": "delete_floatingip",
    }

    def list(self, request: Any) -> HttpResponse:
        return answer({"floatingips": []})

    @accepts(ANYTHING)
    def create(self, request: Any, body: Any) -> HttpResponse:
        raise FloatingIpNotOffered

    def retrieve(self, request: Any, pk: str) -> HttpResponse:
        raise FloatingIPNotFound(floatingip_id=pk[:64])

    @accepts(ANYTHING)
    def update(self, request: Any, pk: str, body: Any) -> HttpResponse:
        raise FloatingIPNotFound(floatingip_id=pk[:64])

    def destroy(self, request: Any, pk: str) -> HttpResponse:
        raise FloatingIPNotFound(floatingip_id=pk[:64])


class AvailabilityZonesViewSet(NetworkViewSet):
    """Zones of the network service: it has none of its own."""

    policy = {"list": "get_availability_zone"}

    def list(self, request: Any) -> HttpResponse:
        return answer({"availability_zones": []})


class AgentsViewSet(NetworkViewSet):
    """Agents of Neutron's kinds: there are none; hosts are seen in the Compute API."""

    policy = {"list": "get_agent", "retrieve": "get_agent"}

    def list(self, request: Any) -> HttpResponse:
        return answer({"agents": []})

    def retrieve(self, request: Any, pk: str) -> HttpResponse:
        raise AgentNotFound(id=pk[:64])
