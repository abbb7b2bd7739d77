"""Every path of the Compute API."""

from __future__ import annotations

from instances.api import urls_servers, urls_side

urlpatterns = [*urls_servers.urlpatterns, *urls_side.urlpatterns]
