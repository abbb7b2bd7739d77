"""``/servers/{id}/tags``, from 2.26 on."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django.http import HttpResponse

from computecloud.core.errors import Invalid
from computecloud.http.answers import answer, empty
from computecloud.http.bodies import check
from computecloud.http.microversions import HashableSchema, available
from computecloud.http.pagination import public_link
from computecloud.http.views import ServiceViewSet, accepts
from instances import server_labels, servers
from instances.api.schemas.server_parts import TAGS
from instances.api.schemas.servers import TAG

RULE = "os_compute_api:os-server-tags"
ONE_TAG = HashableSchema(TAG)


def _checked(tag: str) -> str:
    try:
        check(ONE_TAG, tag)
    except Invalid as problem:
        raise Invalid(
            f"Tag '{tag[:80]}' is invalid. It must be a non empty string without characters '/' and ','. "
            f"Validation error message: {problem}"
        ) from None
    return tag


class ServerTagViewSet(ServiceViewSet):
    """Single words on a server, for filters."""

    service = "compute"
    policy = {
        "list": f"{RULE}:index",
        "retrieve": f"{RULE}:show",
        "replace": f"{RULE}:update_all",
        "update": f"{RULE}:update",
        "destroy": f"{RULE}:delete",
        "clear": f"{RULE}:delete_all",
    }

    @available("2.26")
    def list(self, request: Any, server_id: str) -> HttpResponse:
        return answer({"tags": server_labels.tags_of(servers.get(self.actor, server_id))})

    @available("2.26")
    def retrieve(self, request: Any, server_id: str, tag: str) -> HttpResponse:
        if tag not in server_labels.tags_of(servers.get(self.actor, server_id)):
            raise server_labels.TagNotFound(server_id=server_id, tag=tag)
        return empty(204)

    @available("2.26")
    @accepts(TAGS)
    def replace(self, request: Any, server_id: str, body: dict[str, Any]) -> HttpResponse:
        return answer({"tags": server_labels.set_tags(servers.get(self.actor, server_id), body["tags"])})

    @available("2.26")
    def update(self, request: Any, server_id: str, tag: str) -> HttpResponse:
        server = servers.get(self.actor, server_id)
        added = server_labels.add_tag(server, _checked(tag))
        place = public_link(f"/compute/v2.1/servers/{server_id}/tags/{quote(tag)}")
        return empty(201, {"Location": place}) if added else empty(204)

    @available("2.26")
    def destroy(self, request: Any, server_id: str, tag: str) -> HttpResponse:
        server_labels.remove_tag(servers.get(self.actor, server_id), tag)
        return empty(204)

    @available("2.26")
    def clear(self, request: Any, server_id: str) -> HttpResponse:
        server_labels.remove_tags(servers.get(self.actor, server_id))
        return empty(204)
