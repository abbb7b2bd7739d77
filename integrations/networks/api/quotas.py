"""``/v2.0/quotas``."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.http import HttpResponse

from computecloud.http.answers import answer, empty
from integrations.networks import quotas
from integrations.networks.api import schemas
from integrations.networks.api.bodies import accepts
from integrations.networks.api.resource import NetworkViewSet
from integrations.networks.errors import InvalidQuotaValue, PolicyNotAuthorized, QuotaMissingTenant, TenantQuotaNotFound


def _refuse_below_use(project_id: str, limits: dict[str, int]) -> None:
    """After the limits are set, so that nothing is taken meanwhile; the transaction takes them back."""
    used = quotas.used_by(project_id)
    below = sorted(name for name, limit in limits.items() if 0 <= limit < used[name])
    if below:
        raise InvalidQuotaValue(unders=below)


class QuotasViewSet(NetworkViewSet):
    """Limits of projects."""

    policy = {
        "list": "list_quotas",
        "own_project": "get_quota",
        "retrieve": "get_quota",
        "defaults": "get_quota",
        "details": "get_quota",
        "update": "update_quota",
        "destroy": "delete_quota",
    }

    def _refuse_foreign(self, project_id: str) -> None:
        if not self.actor.is_admin and project_id != self.actor.project_id:
            raise PolicyNotAuthorized(action="get_quota")

    def list(self, request: Any) -> HttpResponse:
        found = quotas.projects_with_limits()
        return answer(
            {"quotas": [{**found[one], "tenant_id": one, "project_id": one} for one in sorted(found)]},
        )

    def own_project(self, request: Any) -> HttpResponse:
        if not self.actor.project_id:
            raise QuotaMissingTenant
        return answer({"tenant": {"tenant_id": self.actor.project_id, "project_id": self.actor.project_id}})

    def retrieve(self, request: Any, pk: str) -> HttpResponse:
        self._refuse_foreign(pk)
        return answer({"quota": quotas.limits_of(pk)})

    def defaults(self, request: Any, pk: str) -> HttpResponse:
        self._refuse_foreign(pk)
        return answer({"quota": quotas.default_limits()})

    def details(self, request: Any, pk: str) -> HttpResponse:
        self._refuse_foreign(pk)
        limits, used = quotas.limits_of(pk), quotas.used_by(pk)
        detail = {name: {"limit": limits[name], "used": used[name], "reserved": 0} for name in quotas.RESOURCES}
        return answer({"quota": detail})

    @accepts(schemas.QUOTA_UPDATE)
    @transaction.atomic
    def update(self, request: Any, pk: str, body: dict[str, Any]) -> HttpResponse:
        wanted = body["quota"]
        limits = {name: int(wanted[name]) for name in quotas.RESOURCES if name in wanted}
        quotas.set_limits(pk, limits)
        if wanted.get("check_limit") and not wanted.get("force"):
            _refuse_below_use(pk, limits)
        return answer({"quota": quotas.limits_of(pk)})

    @transaction.atomic
    def destroy(self, request: Any, pk: str) -> HttpResponse:
        if not quotas.forget_limits(pk):
            raise TenantQuotaNotFound(tenant_id=pk[:64])
        return empty()
