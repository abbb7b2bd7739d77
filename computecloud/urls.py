"""The URL map of the one origin, as DevStack lays paths out."""

from __future__ import annotations

from django.urls import include, path

from dashboard.site import site

urlpatterns = [
    path("identity/", include("integrations.identity.api.urls")),
    path("image/", include("integrations.images.api.urls")),
    path("network/", include("integrations.networks.api.urls")),
    path("compute/", include("instances.api.urls")),
    path("placement/", include("hosts.api.placement.urls")),
    path("api/v1/", include("computecloud.urls_native")),
    path("dashboard/", include("dashboard.urls")),
    path("admin/", site.urls),
]
