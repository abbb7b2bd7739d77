"""``/os-server-groups``."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from computecloud.core.errors import Invalid
from computecloud.http.answers import answer, empty
from computecloud.http.microversions import Field, VersionedShape
from computecloud.http.pagination import limit_of
from computecloud.http.policy import authorize
from computecloud.http.views import ServiceViewSet, accepts, query
from instances import server_groups
from instances.api.queries import Params, last
from instances.api.schemas.server_groups import CREATE, LIST_QUERY
from instances.models.server_group import ServerGroup

COLUMNS = ("id", "name", "policy", "rules", "project_id", "user_id")


class GroupShape(VersionedShape):
    """A server group; the context is {group id: [server ids]}."""

    fields = {
        "id": Field("id"),
        "name": Field("name"),
        "policies": Field(lambda group, _: [group.policy], until="2.63"),
        "metadata": Field(lambda group, _: {}, until="2.63"),
        "policy": Field("policy", since="2.64"),
        "rules": Field("rules", since="2.64"),
        "members": Field(lambda group, members: members.get(group.id, [])),
        "project_id": Field("project_id", since="2.13"),
        "user_id": Field("user_id", since="2.13"),
    }


def to_policy(wanted: dict[str, Any]) -> tuple[str, dict[str, int]]:
    """Policy and rules from a valid body of any version. Raises Invalid."""
    if "policies" in wanted:
        return wanted["policies"][0], {}
    rules = {name: int(value) for name, value in wanted.get("rules", {}).items()}
    if rules and wanted["policy"] != ServerGroup.Policy.ANTI_AFFINITY:
        raise Invalid("Only anti-affinity policy supports rules.")
    return wanted["policy"], rules


class ServerGroupViewSet(ServiceViewSet):
    """Server groups of the project; of all projects for an administrator who asks."""

    service = "compute"
    policy = {
        "list": "os_compute_api:os-server-groups:index",
        "retrieve": "os_compute_api:os-server-groups:show",
        "create": "os_compute_api:os-server-groups:create",
        "destroy": "os_compute_api:os-server-groups:delete",
    }

    @query(LIST_QUERY, strict_since="2.75")
    def list(self, request: Any, params: Params) -> HttpResponse:
        rows = ServerGroup.objects.filter(project_id=self.actor.project_id or "")
        if "all_projects" in params and self.actor.is_admin:
            authorize(self.actor, "os_compute_api:os-server-groups:index:all_projects")
            rows = ServerGroup.objects.all()
        limit, offset = limit_of(params), int(last(params, "offset") or 0)
        found = [*rows.order_by("created_at", "id").values_list(*COLUMNS, named=True)[offset : offset + limit]]
        members = server_groups.members_of(row.id for row in found)
        return answer({"server_groups": [GroupShape.render(row, request.api_version, members) for row in found]})

    @query({}, strict_since="2.102")
    def retrieve(self, request: Any, group_id: str, params: Params) -> HttpResponse:
        group = server_groups.get(self.actor, group_id)
        members = server_groups.members_of([group.id])
        return answer({"server_group": GroupShape.render(group, request.api_version, members)})

    @accepts(CREATE)
    def create(self, request: Any, body: dict[str, Any]) -> HttpResponse:
        policy, rules = to_policy(body["server_group"])
        group = server_groups.create(self.actor, body["server_group"]["name"], policy, rules)
        return answer({"server_group": GroupShape.render(group, request.api_version, {})})

    def destroy(self, request: Any, group_id: str) -> HttpResponse:
        server_groups.delete(self.actor, group_id)
        return empty(204)
