"""``/servers``: create, list, show, update, delete. Parts of a server and its actions live beside this module."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from computecloud.http.answers import answer
from computecloud.http.views import ServiceViewSet, query
from instances.api import server_filters, server_rows, server_shapes
from instances.api.links import next_links
from instances.api.queries import Params
from instances.api.schemas.servers import LIST_QUERY
from instances.api.server_shapes import BriefShape, sees_hosts

SERVERS = "os_compute_api:servers"


class ServerViewSet(ServiceViewSet):
    """The servers of the actor's project; of every project for an administrator who knows an id or asks for all."""

    service = "compute"
    policy = {
        "list": f"{SERVERS}:index",
        "in_detail": f"{SERVERS}:detail",
        "retrieve": f"{SERVERS}:show",
    }

    @query(LIST_QUERY, strict_since="2.75")
    def list(self, request: Any, params: Params) -> HttpResponse:
        page, limit = server_filters.page(self.actor, request.api_version, params, detail=False)
        rows = server_rows.brief(page)
        body: dict[str, Any] = {"servers": [BriefShape.render(row, request.api_version) for row in rows]}
        return answer(_linked(body, request, rows, limit, params))

    @query(LIST_QUERY, strict_since="2.75")
    def in_detail(self, request: Any, params: Params) -> HttpResponse:
        page, limit = server_filters.page(self.actor, request.api_version, params, detail=True)
        rows = server_rows.full(page, for_operators=sees_hosts(self.actor))
        who = server_rows.audience(self.actor, request.api_version, rows)
        body: dict[str, Any] = {"servers": [server_shapes.detail(row, who) for row in rows]}
        return answer(_linked(body, request, rows, limit, params))

    @query({}, strict_since="2.102")
    def retrieve(self, request: Any, server_id: str, params: Params) -> HttpResponse:
        return answer({"server": server_rows.shown(self.actor, request.api_version, server_id)})


def _linked(body: dict[str, Any], request: Any, rows: list[Any], limit: int, params: Params) -> dict[str, Any]:
    """The page with the link to the next one, when this one is full."""
    if links := next_links(request, [row.id for row in rows], limit, "limit" in params):
        body["servers_links"] = links
    return body
