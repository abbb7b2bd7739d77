"""Paths below /api/v1/ that this app serves."""

from __future__ import annotations

from django.urls import path

from instances.api.placements import CapacityViewSet, PlacementViewSet

urlpatterns = [
    path("capacity", CapacityViewSet.as_view({"get": "show"})),
    path("placements/what-if", PlacementViewSet.as_view({"post": "what_if"})),
    path("placements/why-not", PlacementViewSet.as_view({"post": "why_not"})),
]
