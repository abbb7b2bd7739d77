"""``/servers/{id}/metadata``."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from computecloud.core.errors import Invalid
from computecloud.http.answers import answer, empty
from computecloud.http.views import ServiceViewSet, accepts, query
from instances import server_labels, servers
from instances.api.queries import Params
from instances.api.schemas.server_parts import ALL_METADATA, ONE_METADATA

METADATA = "os_compute_api:server-metadata"


class ServerMetadataViewSet(ServiceViewSet):
    """Names and values that a server's owner writes on it."""

    service = "compute"
    policy = {
        "list": f"{METADATA}:index",
        "retrieve": f"{METADATA}:show",
        "create": f"{METADATA}:create",
        "replace": f"{METADATA}:update_all",
        "update": f"{METADATA}:update",
        "destroy": f"{METADATA}:delete",
    }

    @query({}, strict_since="2.102")
    def list(self, request: Any, server_id: str, params: Params) -> HttpResponse:
        return answer({"metadata": servers.get(self.actor, server_id).metadata})

    @query({}, strict_since="2.102")
    def retrieve(self, request: Any, server_id: str, key: str, params: Params) -> HttpResponse:
        metadata = servers.get(self.actor, server_id).metadata
        if key not in metadata:
            raise server_labels.MetadataItemNotFound
        return answer({"meta": {key: metadata[key]}})

    @accepts(ALL_METADATA)
    def create(self, request: Any, server_id: str, body: dict[str, Any]) -> HttpResponse:
        server = servers.get(self.actor, server_id)
        metadata = server_labels.change_metadata(self.actor, server, lambda seen: seen | body["metadata"])
        return answer({"metadata": metadata})

    @accepts(ALL_METADATA)
    def replace(self, request: Any, server_id: str, body: dict[str, Any]) -> HttpResponse:
        server = servers.get(self.actor, server_id)
        metadata = server_labels.change_metadata(self.actor, server, lambda _: dict(body["metadata"]))
        return answer({"metadata": metadata})

    @accepts(ONE_METADATA)
    def update(self, request: Any, server_id: str, key: str, body: dict[str, Any]) -> HttpResponse:
        server = servers.get(self.actor, server_id)
        if key not in body["meta"]:
            raise Invalid("Request body and URI mismatch")
        server_labels.change_metadata(self.actor, server, lambda seen: seen | body["meta"])
        return answer({"meta": body["meta"]})

    def destroy(self, request: Any, server_id: str, key: str) -> HttpResponse:
        server = servers.get(self.actor, server_id)
        server_labels.change_metadata(
            self.actor, server, lambda seen: server_labels.without(seen, key), "delete metadata"
        )
        return empty(204)
