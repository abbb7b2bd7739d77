"""Calls for consoles and storage drivers, which this cloud has not got yet. Each leaves when its issue builds it."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from computecloud.core.errors import NotFound, Unsupported
from computecloud.http.views import ServiceViewSet, query
from instances.api.queries import Params

NO_VOLUMES = "This cloud has no block storage yet: there is no volume to take a snapshot of."


class ConsoleTokenViewSet(ServiceViewSet):
    """What a console's token opens. No token has been given out, so none is known."""

    service = "compute"
    policy = {"retrieve": "os_compute_api:os-console-auth-tokens"}

    @query({}, strict_since="2.99")
    def retrieve(self, request: Any, token: str, params: Params) -> HttpResponse:
        raise NotFound("Token not found")


class AssistedSnapshotViewSet(ServiceViewSet):
    """Snapshots of attached volumes, asked for by a storage driver."""

    service = "compute"
    policy = {
        "create": "os_compute_api:os-assisted-volume-snapshots:create",
        "destroy": "os_compute_api:os-assisted-volume-snapshots:delete",
    }

    def create(self, request: Any) -> HttpResponse:
        raise Unsupported(NO_VOLUMES)

    def destroy(self, request: Any, snapshot_id: str) -> HttpResponse:
        raise Unsupported(NO_VOLUMES)
