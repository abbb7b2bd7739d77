"""``/servers``: create, list, show, update, delete. Parts of a server and its actions live beside this module."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.http import HttpResponse

from computecloud.core.errors import NotFound
from computecloud.http.answers import answer, empty
from computecloud.http.views import ServiceViewSet, accepts, query
from instances import repeats, servers
from instances.actions.soft_delete import remove
from instances.api import server_filters, server_rows, server_shapes
from instances.api.links import next_links, thing_links
from instances.api.queries import Params
from instances.api.schemas.servers import CREATE, LIST_QUERY, UPDATE
from instances.api.schemas.types import truth
from instances.api.server_create import canonical, to_request
from instances.api.server_shapes import BriefShape, sees_hosts
from instances.models import Instance

SERVERS = "os_compute_api:servers"


class ServerViewSet(ServiceViewSet):
    """The servers of the actor's project; of every project for an administrator who knows an id or asks for all."""

    service = "compute"
    policy = {
        "list": f"{SERVERS}:index",
        "in_detail": f"{SERVERS}:detail",
        "retrieve": f"{SERVERS}:show",
        "create": f"{SERVERS}:create",
        "update": f"{SERVERS}:update",
        "destroy": f"{SERVERS}:delete",
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

    @accepts(CREATE)
    def create(self, request: Any, body: dict[str, Any]) -> HttpResponse:
        key = repeats.read(request.headers, body)
        wish = partial(to_request, body, request.api_version, self.actor)
        made, password = servers.create_once(self.actor, key, wish, request.request_id)
        if truth(body["server"].get("return_reservation_id", False)):
            return answer({"reservation_id": made.reservation_id}, 202)
        links = thing_links("servers", made.id)
        shown = {
            "id": made.id,
            "links": links,
            "OS-DCF:diskConfig": made.disk_config,
            "security_groups": body["server"].get("security_groups", [{"name": "default"}]),
        }
        if password:
            shown["adminPass"] = password
        return answer({"server": shown}, 202, {"Location": links[0]["href"]})

    @accepts(UPDATE)
    def update(self, request: Any, server_id: str, body: dict[str, Any]) -> HttpResponse:
        server = servers.get(self.actor, server_id)
        servers.update(self.actor, server, _changes(server, body["server"]))
        return answer({"server": server_rows.shown_after_update(self.actor, request.api_version, server_id)})

    def destroy(self, request: Any, server_id: str) -> HttpResponse:
        remove(self.actor, servers.get(self.actor, server_id), request.request_id)
        return empty(204)


class OldServerViewSet(ServerViewSet):
    """``/os-volumes_boot``: the same servers under an older name, until 2.102."""

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.api_version > (2, 102):
            raise NotFound


COLUMNS = {
    "name": "name",
    "description": "description",
    "hostname": "hostname",
    "OS-DCF:diskConfig": "disk_config",
    "accessIPv4": "access_ip_v4",
    "accessIPv6": "access_ip_v6",
}


def _changes(server: Instance, wanted: dict[str, Any]) -> dict[str, Any]:
    """Columns from a valid body of ``PUT``. Raises Conflict."""
    changes = {COLUMNS[name]: value for name, value in wanted.items() if name in COLUMNS}
    if changes.get("access_ip_v6"):
        changes["access_ip_v6"] = canonical(changes["access_ip_v6"])
    if "pinned_availability_zone" in wanted:
        changes |= servers.pin_to(server, wanted["pinned_availability_zone"])
    return changes


def _linked(body: dict[str, Any], request: Any, rows: list[Any], limit: int, params: Params) -> dict[str, Any]:
    """The page with the link to the next one, when this one is full."""
    if links := next_links(request, [row.id for row in rows], limit, "limit" in params):
        body["servers_links"] = links
    return body
