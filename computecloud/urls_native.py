"""Our own API, below /api/v1/."""

from __future__ import annotations

from django.urls import include, path

from computecloud.http.openapi import SchemaViewSet

urlpatterns = [
    path("", include("operations.api.urls")),
    path("", include("hosts.api.urls")),
    path("", include("scheduling.api.urls")),
    path("", include("instances.api.urls_native")),
    path("schema", SchemaViewSet.as_view({"get": "show"})),
]
