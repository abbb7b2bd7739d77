"""Paths below /placement/."""

from __future__ import annotations

from django.urls import path

from hosts.api.placement.views import (
    AllocationViewSet,
    ResourceClassViewSet,
    ResourceProviderViewSet,
    RootViewSet,
    TraitViewSet,
)

PROVIDER = "resource_providers/<str:uuid>"

urlpatterns = [
    path("", RootViewSet.as_view({"get": "show"})),
    path("resource_providers", ResourceProviderViewSet.as_view({"get": "list"})),
    path(PROVIDER, ResourceProviderViewSet.as_view({"get": "retrieve"})),
    path(f"{PROVIDER}/inventories", ResourceProviderViewSet.as_view({"get": "inventories"})),
    path(f"{PROVIDER}/inventories/<str:resource_class>", ResourceProviderViewSet.as_view({"get": "inventory"})),
    path(f"{PROVIDER}/usages", ResourceProviderViewSet.as_view({"get": "usages"})),
    path(f"{PROVIDER}/aggregates", ResourceProviderViewSet.as_view({"get": "aggregates"})),
    path(f"{PROVIDER}/traits", ResourceProviderViewSet.as_view({"get": "traits"})),
    path(f"{PROVIDER}/allocations", ResourceProviderViewSet.as_view({"get": "allocations"})),
    path("allocations/<str:consumer>", AllocationViewSet.as_view({"get": "retrieve"})),
    path("allocation_candidates", AllocationViewSet.as_view({"get": "candidates"})),
    path("usages", AllocationViewSet.as_view({"get": "usages"})),
    path("resource_classes", ResourceClassViewSet.as_view({"get": "list"})),
    path("resource_classes/<str:name>", ResourceClassViewSet.as_view({"get": "retrieve"})),
    path("traits", TraitViewSet.as_view({"get": "list"})),
    path("traits/<str:name>", TraitViewSet.as_view({"get": "retrieve"})),
]
