"""Parts of a server that this cloud has not got yet: empty where that is true, 501 with a sentence where it is not.

Each leaves this module when its issue builds it.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from computecloud.core.errors import NotFound, Unsupported
from computecloud.http.answers import answer
from computecloud.http.microversions import available
from computecloud.http.views import ServiceViewSet, query
from instances import servers
from instances.api.queries import Params
from instances.api.schemas.server_parts import VOLUMES_QUERY

VOLUMES = "os_compute_api:os-volumes-attachments"
SHARES = "os_compute_api:os-server-shares"
NO_VOLUMES = "This cloud has no block storage yet: volumes cannot be attached to or detached from a server."


class VolumeAttachmentViewSet(ServiceViewSet):
    """Volumes of a server: there are none."""

    service = "compute"
    policy = {
        "list": f"{VOLUMES}:index",
        "retrieve": f"{VOLUMES}:show",
        "create": f"{VOLUMES}:create",
        "update": f"{VOLUMES}:update",
        "destroy": f"{VOLUMES}:delete",
    }

    @query(VOLUMES_QUERY, strict_since="2.75")
    def list(self, request: Any, server_id: str, params: Params) -> HttpResponse:
        servers.get(self.actor, server_id)
        return answer({"volumeAttachments": []})

    def retrieve(self, request: Any, server_id: str, volume_id: str) -> HttpResponse:
        servers.get(self.actor, server_id)
        raise NotFound(f"Instance {server_id} is not attached to volume {volume_id[:64]}")

    def create(self, request: Any, server_id: str) -> HttpResponse:
        servers.get(self.actor, server_id)
        raise Unsupported(NO_VOLUMES)

    def update(self, request: Any, server_id: str, volume_id: str) -> HttpResponse:
        servers.get(self.actor, server_id)
        raise Unsupported(NO_VOLUMES)

    def destroy(self, request: Any, server_id: str, volume_id: str) -> HttpResponse:
        servers.get(self.actor, server_id)
        raise Unsupported(NO_VOLUMES)


class LaterViewSet(ServiceViewSet):
    """What has no hosts' side yet."""

    service = "compute"
    policy = {
        "remote_consoles": "os_compute_api:os-remote-consoles",
    }

    @available("2.6")
    def remote_consoles(self, request: Any, server_id: str) -> HttpResponse:
        servers.get(self.actor, server_id)
        raise Unsupported("Remote consoles are not offered by this cloud yet; os-getConsoleOutput is.")


class ShareViewSet(ServiceViewSet):
    """File shares of a server: there are none."""

    service = "compute"
    policy = {
        "list": f"{SHARES}:index",
        "retrieve": f"{SHARES}:show",
        "create": f"{SHARES}:create",
        "destroy": f"{SHARES}:delete",
    }

    @available("2.97")
    def list(self, request: Any, server_id: str) -> HttpResponse:
        servers.get(self.actor, server_id)
        return answer({"shares": []})

    @available("2.97")
    def retrieve(self, request: Any, server_id: str, share_id: str) -> HttpResponse:
        servers.get(self.actor, server_id)
        raise NotFound(f"Share {share_id[:64]} could not be found.")

    @available("2.97")
    def create(self, request: Any, server_id: str) -> HttpResponse:
        servers.get(self.actor, server_id)
        raise Unsupported("File shares are not offered by this cloud yet.")

    @available("2.97")
    def destroy(self, request: Any, server_id: str, share_id: str) -> HttpResponse:
        servers.get(self.actor, server_id)
        raise NotFound(f"Share {share_id[:64]} could not be found.")
