"""``/os-quota-sets`` and ``/os-quota-class-sets``."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from computecloud.core.errors import Invalid
from computecloud.http.answers import answer, empty
from computecloud.http.policy import authorize
from computecloud.http.views import ServiceViewSet, accepts, query
from instances import quotas
from instances.api.queries import Params, last
from instances.api.schemas.quotas import UPDATE, UPDATE_CLASS, USER_QUERY, hidden_in_classes, hidden_in_sets
from instances.api.schemas.types import number, truth
from integrations.identity import facade as identity


def existing(project_id: str) -> None:
    """Raises Invalid for a project that Identity does not know."""
    if not identity.project_exists(project_id):
        raise Invalid(f"Project ID {project_id[:255]} is not a valid project.")


def to_limits(body: dict[str, Any]) -> dict[str, int]:
    """The limits of a valid body."""
    return {resource: number(value, resource) for resource, value in body.items() if resource != "force"}


class QuotaSetViewSet(ServiceViewSet):
    """A project's quotas, or with ``user_id`` those of one user in it."""

    service = "compute"
    policy = {
        "retrieve": "os_compute_api:os-quota-sets:show",
        "retrieve_detail": "os_compute_api:os-quota-sets:detail",
        "defaults": "os_compute_api:os-quota-sets:defaults",
        "update": "os_compute_api:os-quota-sets:update",
        "destroy": "os_compute_api:os-quota-sets:delete",
    }

    def _limits(self, request: Any, project_id: str, user_id: str | None) -> dict[str, int]:
        limits = quotas.user_limits(project_id, user_id) if user_id else quotas.project_limits(project_id)
        return quotas.only(limits, hidden_in_sets(request.api_version))

    @query(USER_QUERY, strict_since="2.75")
    def retrieve(self, request: Any, project_id: str, params: Params) -> HttpResponse:
        authorize(self.actor, "os_compute_api:os-quota-sets:show", project_id)
        existing(project_id)
        return answer({"quota_set": {"id": project_id} | self._limits(request, project_id, last(params, "user_id"))})

    @query(USER_QUERY, strict_since="2.75")
    def retrieve_detail(self, request: Any, project_id: str, params: Params) -> HttpResponse:
        authorize(self.actor, "os_compute_api:os-quota-sets:detail", project_id)
        existing(project_id)
        user_id = last(params, "user_id")
        used = quotas.in_use(project_id, user_id)
        shown: dict[str, Any] = {"id": project_id}
        for resource, limit in self._limits(request, project_id, user_id).items():
            shown[resource] = {"limit": limit, "in_use": used[resource], "reserved": 0}
        return answer({"quota_set": shown})

    @query({})
    def defaults(self, request: Any, project_id: str, params: Params) -> HttpResponse:
        existing(project_id)
        limits = quotas.only(quotas.defaults(), hidden_in_sets(request.api_version))
        return answer({"quota_set": {"id": project_id} | limits})

    @accepts(UPDATE)
    @query(USER_QUERY, strict_since="2.75")
    def update(self, request: Any, project_id: str, body: dict[str, Any], params: Params) -> HttpResponse:
        existing(project_id)
        wanted = body["quota_set"]
        user_id = last(params, "user_id")
        quotas.set_limits(project_id, to_limits(wanted), user_id=user_id, force=truth(wanted.get("force", False)))
        return answer({"quota_set": self._limits(request, project_id, user_id)})

    @query(USER_QUERY, strict_since="2.75")
    def destroy(self, request: Any, project_id: str, params: Params) -> HttpResponse:
        quotas.clear(project_id, last(params, "user_id"))
        return empty(202)


class QuotaClassViewSet(ServiceViewSet):
    """Named sets of limits; the class ``default`` is what projects without limits of their own get."""

    service = "compute"
    policy = {
        "retrieve": "os_compute_api:os-quota-class-sets:show",
        "update": "os_compute_api:os-quota-class-sets:update",
    }

    def _limits(self, request: Any, name: str) -> dict[str, int]:
        return quotas.only(quotas.class_limits(name), hidden_in_classes(request.api_version))

    @query({}, strict_since="2.102")
    def retrieve(self, request: Any, name: str, params: Params) -> HttpResponse:
        return answer({"quota_class_set": {"id": name} | self._limits(request, name)})

    @accepts(UPDATE_CLASS)
    def update(self, request: Any, name: str, body: dict[str, Any]) -> HttpResponse:
        if len(quotas.class_owner(name)) > quotas.LONGEST_OWNER:
            raise Invalid(f"The name of a quota class may have {quotas.LONGEST_OWNER - len('class:')} characters.")
        quotas.set_class(name, to_limits(body["quota_class_set"]))
        return answer({"quota_class_set": self._limits(request, name)})
