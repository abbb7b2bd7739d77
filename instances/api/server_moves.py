"""``/os-migrations`` and ``/servers/{id}/migrations``: where servers went, and what goes on."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpResponse

from computecloud.core.clock import iso_naive
from computecloud.core.errors import NotFound
from computecloud.http.answers import answer
from computecloud.http.microversions import Field, VersionedShape, available
from computecloud.http.pagination import keyset, limit_of
from computecloud.http.policy import allows, authorize
from computecloud.http.services import Version
from computecloud.http.views import ServiceViewSet, query
from instances import servers
from instances.api.links import next_links
from instances.api.queries import Params, changed_between, last, marked, only_since
from instances.api.schemas.server_parts import MIGRATIONS_QUERY
from instances.models import Move

LIST = "os_compute_api:os-migrations:index"
MIGRATIONS = "os_compute_api:servers:migrations"
FILTERS = {
    "status": "status",
    "instance_uuid": "instance_id",
    "migration_type": "kind",
    "source_compute": "source_name",
    "user_id": "user_id",
    "project_id": "project_id",
}


def _number(flavor: dict[str, Any]) -> int | None:
    """Nova tells its own number of a flavor; here it has its id alone, which may be one."""
    text = str(flavor["flavor_id"])
    return int(text) if text.isdecimal() and len(text) < 10 else None


class MoveShape(VersionedShape):
    """A migration. Hosts have one node each, of the same name."""

    fields = {
        "id": Field("id"),
        "uuid": Field("uuid", since="2.59"),
        "instance_uuid": Field("instance_id"),
        "migration_type": Field("kind", since="2.23"),
        "status": Field("status"),
        "source_compute": Field(lambda row, sees_hosts: row.source_name if sees_hosts else None),
        "source_node": Field(lambda row, sees_hosts: row.source_name if sees_hosts else None),
        "dest_compute": Field(lambda row, sees_hosts: (row.dest_name or None) if sees_hosts else None),
        "dest_node": Field(lambda row, sees_hosts: (row.dest_name or None) if sees_hosts else None),
        "dest_host": Field(lambda row, _: None),
        "old_instance_type_id": Field(lambda row, _: _number(row.old_flavor)),
        "new_instance_type_id": Field(lambda row, _: _number(row.new_flavor)),
        "created_at": Field(lambda row, _: iso_naive(row.created_at)),
        "updated_at": Field(lambda row, _: iso_naive(row.updated_at)),
        "user_id": Field("user_id", since="2.80"),
        "project_id": Field("project_id", since="2.80"),
    }


class MigrationViewSet(ServiceViewSet):
    """Migrations of the project's servers, or for administrators of all, newest first."""

    service = "compute"
    policy = {"list": LIST}

    @query(MIGRATIONS_QUERY, strict_since="2.59")
    def list(self, request: Any, params: Params) -> HttpResponse:
        only_since("2.59", request, params, "limit", "marker", "changes-since")
        only_since("2.66", request, params, "changes-before", strict_since="2.59")
        only_since("2.80", request, params, "user_id", "project_id", strict_since="2.59")
        version: Version = request.api_version
        sees_hosts = allows(self.actor, f"{LIST}:host")
        if not sees_hosts and {"host", "source_compute"} & params.keys():
            authorize(self.actor, f"{LIST}:host")
        rows = _filtered(params)
        if not allows(self.actor, f"{LIST}:all_projects"):
            rows = rows.filter(project_id=self.actor.project_id or "-")
        rows = changed_between(rows, params)
        limit = limit_of(params)
        page = list(keyset(rows, [("created_at", "desc"), ("id", "desc")], marked(rows, params, "uuid"), limit))
        body: dict[str, Any] = {"migrations": [MoveShape.render(row, version, sees_hosts) for row in page]}
        links = next_links(request, [row.uuid for row in page], limit, "limit" in params)
        if links and version >= (2, 59):
            body["migrations_links"] = links
        return answer(body)


def _filtered(params: Params) -> QuerySet[Move]:
    rows = Move.objects.all()
    for name, column in FILTERS.items():
        if (value := last(params, name)) is not None:
            rows = rows.filter(**{column: value})
    if (host := last(params, "host")) is not None:
        rows = rows.filter(Q(source_name=host) | Q(dest_name=host))
    return rows


class ServerMigrationViewSet(ServiceViewSet):
    """Live migrations of one server under way: there are none. Others are told by ``/os-migrations`` alone."""

    service = "compute"
    policy = {
        "list": f"{MIGRATIONS}:index",
        "retrieve": f"{MIGRATIONS}:show",
        "destroy": f"{MIGRATIONS}:delete",
        "act": f"{MIGRATIONS}:force_complete",
    }

    def _not_live(self, server_id: str, migration_id: str) -> NotFound:
        server, number = servers.get(self.actor, server_id), migration_id[:64]
        known = number.isdecimal() and len(number) < 10
        if known and Move.objects.filter(instance_id=server.id, id=int(number)).exists():
            return NotFound(f"Migration {number} for server {server_id} is not live-migration.")
        return NotFound(f"Migration {number} for server {server_id} could not be found.")

    @available("2.23")
    @query({}, strict_since="2.102")
    def list(self, request: Any, server_id: str, params: Params) -> HttpResponse:
        servers.get(self.actor, server_id)
        return answer({"migrations": []})

    @available("2.23")
    @query({}, strict_since="2.102")
    def retrieve(self, request: Any, server_id: str, migration_id: str, params: Params) -> HttpResponse:
        raise self._not_live(server_id, migration_id)

    @available("2.24")
    def destroy(self, request: Any, server_id: str, migration_id: str) -> HttpResponse:
        raise self._not_live(server_id, migration_id)

    @available("2.22")
    def act(self, request: Any, server_id: str, migration_id: str) -> HttpResponse:
        raise self._not_live(server_id, migration_id)
