"""Paths below /api/v1/ that this app serves."""

from __future__ import annotations

from django.urls import path

from hosts.api.native import HostViewSet

urlpatterns = [
    path("hosts", HostViewSet.as_view({"get": "list"})),
    path("hosts/<str:id>", HostViewSet.as_view({"get": "retrieve"})),
]
