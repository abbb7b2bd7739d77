"""Every path of the Compute API."""

from __future__ import annotations

from django.urls import path

from instances.api import urls_side
from instances.api.servers import ServerViewSet

urlpatterns = [
    path("v2.1/servers", ServerViewSet.as_view({"get": "list", "post": "create"})),
    path("v2.1/servers/detail", ServerViewSet.as_view({"get": "in_detail"})),
    path(
        "v2.1/servers/<str:server_id>",
        ServerViewSet.as_view({"get": "retrieve", "put": "update", "delete": "destroy"}),
    ),
    *urls_side.urlpatterns,
]
