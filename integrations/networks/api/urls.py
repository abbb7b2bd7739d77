"""Routes of the Network API, under ``/network/``. What is not here is not offered: 404."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.urls import URLPattern, path

from integrations.networks.api.discovery import (
    AgentsViewSet,
    AvailabilityZonesViewSet,
    ExtensionsViewSet,
    FloatingIpsViewSet,
    VersionsViewSet,
)
from integrations.networks.api.networks import NetworksViewSet
from integrations.networks.api.ports import PortsViewSet
from integrations.networks.api.quotas import QuotasViewSet
from integrations.networks.api.routers import RoutersViewSet
from integrations.networks.api.security_groups import SecurityGroupRulesViewSet, SecurityGroupsViewSet
from integrations.networks.api.subnet_pools import SubnetPoolsViewSet
from integrations.networks.api.subnets import SubnetsViewSet
from integrations.networks.api.tags import VIEWS as TAG_VIEWS

Methods = Mapping[str, Any]
LIST: Methods = {"get": "list", "post": "create"}
ONE: Methods = {"get": "retrieve", "put": "update", "delete": "destroy"}
ONE_FIXED: Methods = {"get": "retrieve", "delete": "destroy"}


def _collection(name: str, views: Any, one: Methods = ONE) -> list[URLPattern]:
    return [
        path(f"v2.0/{name}", views.as_view(dict(LIST))),
        path(f"v2.0/{name}/<str:pk>", views.as_view(dict(one))),
    ]


def _tags(name: str) -> list[URLPattern]:
    views = TAG_VIEWS[name]
    return [
        path(f"v2.0/{name}/<str:pk>/tags", views.as_view({"get": "list", "put": "replace", "delete": "clear"})),
        path(f"v2.0/{name}/<str:pk>/tags/<str:tag>", views.as_view({"get": "check", "put": "add", "delete": "remove"})),
    ]


urlpatterns: list[URLPattern] = [
    path("", VersionsViewSet.as_view({"get": "root"})),
    path("v2.0", VersionsViewSet.as_view({"get": "v2"})),
    *_collection("networks", NetworksViewSet),
    *_collection("subnets", SubnetsViewSet),
    *_collection("subnetpools", SubnetPoolsViewSet),
    *_collection("ports", PortsViewSet),
    *_collection("security-groups", SecurityGroupsViewSet),
    *_collection("security-group-rules", SecurityGroupRulesViewSet, ONE_FIXED),
    *_collection("routers", RoutersViewSet),
    path("v2.0/routers/<str:pk>/add_router_interface", RoutersViewSet.as_view({"put": "add_interface"})),
    path("v2.0/routers/<str:pk>/remove_router_interface", RoutersViewSet.as_view({"put": "remove_interface"})),
    *[pattern for name in TAG_VIEWS for pattern in _tags(name)],
    path("v2.0/quotas", QuotasViewSet.as_view({"get": "list"})),
    path("v2.0/quotas/tenant", QuotasViewSet.as_view({"get": "own_project"})),
    path("v2.0/quotas/project", QuotasViewSet.as_view({"get": "own_project"})),
    path("v2.0/quotas/<str:pk>", QuotasViewSet.as_view(dict(ONE))),
    path("v2.0/quotas/<str:pk>/default", QuotasViewSet.as_view({"get": "defaults"})),
    path("v2.0/quotas/<str:pk>/details", QuotasViewSet.as_view({"get": "details"})),
    path("v2.0/quotas/<str:pk>/details.json", QuotasViewSet.as_view({"get": "details"})),
    *_collection("floatingips", FloatingIpsViewSet),
    path("v2.0/extensions", ExtensionsViewSet.as_view({"get": "list"})),
    path("v2.0/extensions/<str:pk>", ExtensionsViewSet.as_view({"get": "retrieve"})),
    path("v2.0/availability_zones", AvailabilityZonesViewSet.as_view({"get": "list"})),
    path("v2.0/agents", AgentsViewSet.as_view({"get": "list"})),
    path("v2.0/agents/<str:pk>", AgentsViewSet.as_view({"get": "retrieve"})),
]
