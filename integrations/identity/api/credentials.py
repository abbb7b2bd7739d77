"""Application credentials and opaque credentials."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse

from computecloud.http.answers import answer, empty
from computecloud.http.views import ServiceViewSet, accepts, query
from integrations.identity.actions import credentials as actions
from integrations.identity.api import lists, schemas, shapes
from integrations.identity.authority import found, reads_all
from integrations.identity.errors import ActionForbidden
from integrations.identity.models import ApplicationCredential, Credential


class ApplicationCredentialViewSet(ServiceViewSet):
    """``/v3/users/{user_id}/application_credentials``: only the user makes them, administrators may look and delete."""

    service: ClassVar[str] = "identity"
    policy: ClassVar[dict[str, str]] = {
        "list": "identity:list_application_credentials",
        "create": "identity:create_application_credential",
        "show": "identity:get_application_credential",
        "delete": "identity:delete_application_credential",
    }

    def _of(self, user_id: str, action: str) -> QuerySet[ApplicationCredential]:
        if user_id != self.actor.user_id and not reads_all(self.actor):
            raise ActionForbidden(action=f"identity:{action}")
        return ApplicationCredential.objects.filter(user_id=user_id).prefetch_related("roles")

    @query(lists.allowed("name", *lists.NAME_FORMS))
    def list(self, request: Any, user_id: str, params: lists.Params) -> HttpResponse:
        rows = self._of(user_id, "list_application_credentials").filter(lists.by_name(params))
        return lists.listed(request, "application_credentials", rows, params, shapes.application_credential)

    @accepts(schemas.CREATE_APPLICATION_CREDENTIAL)
    def create(self, request: Any, user_id: str, body: dict[str, Any]) -> HttpResponse:
        row, secret = actions.create_application_credential(self.actor, user_id, body["application_credential"])
        return answer({"application_credential": shapes.application_credential(row, secret)}, 201)

    def show(self, request: Any, user_id: str, credential_id: str) -> HttpResponse:
        rows = self._of(user_id, "get_application_credential")
        row = found(rows, "application credential", credential_id)
        return answer({"application_credential": shapes.application_credential(row)})

    def delete(self, request: Any, user_id: str, credential_id: str) -> HttpResponse:
        rows = self._of(user_id, "delete_application_credential")
        actions.delete_application_credential(self.actor, found(rows, "application credential", credential_id))
        return empty()


class CredentialViewSet(ServiceViewSet):
    """``/v3/credentials``: one's own, or all for administrators."""

    service: ClassVar[str] = "identity"
    policy: ClassVar[dict[str, str]] = {
        "list": "identity:list_credentials",
        "create": "identity:create_credential",
        "show": "identity:get_credential",
        "update": "identity:update_credential",
        "delete": "identity:delete_credential",
    }

    def _visible(self) -> QuerySet[Credential]:
        rows = Credential.objects.all()
        return rows if self.actor.is_admin else rows.filter(user_id=self.actor.user_id)

    @query(lists.allowed("user_id", "type"))
    def list(self, request: Any, params: lists.Params) -> HttpResponse:
        rows = lists.filtered(self._visible(), params, same={"user_id": "user_id", "type": "type"})
        return lists.listed(request, "credentials", rows, params, shapes.credential, sort=(("id", "asc"),))

    @accepts(schemas.CREATE_CREDENTIAL)
    def create(self, request: Any, body: dict[str, Any]) -> HttpResponse:
        row = actions.create_credential(self.actor, body["credential"])
        return answer({"credential": shapes.credential(row)}, 201)

    def show(self, request: Any, credential_id: str) -> HttpResponse:
        return answer({"credential": shapes.credential(found(self._visible(), "credential", credential_id))})

    @accepts(schemas.UPDATE_CREDENTIAL)
    def update(self, request: Any, credential_id: str, body: dict[str, Any]) -> HttpResponse:
        row = found(self._visible(), "credential", credential_id)
        return answer({"credential": shapes.credential(actions.update_credential(self.actor, row, body["credential"]))})

    def delete(self, request: Any, credential_id: str) -> HttpResponse:
        row = found(self._visible(), "credential", credential_id)
        actions.unrestricted_only(self.actor, "delete_credential")
        row.delete()
        return empty()
