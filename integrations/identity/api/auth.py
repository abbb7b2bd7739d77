"""Logging in, looking at tokens, ending them, and what a token opens."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Q
from django.http import HttpResponse

from computecloud.core.errors import Unauthorized
from computecloud.http.answers import answer, empty
from computecloud.http.clients import address_of
from computecloud.http.views import ServiceViewSet, accepts
from integrations.identity import grants, tokens
from integrations.identity.api import lists, schemas, shapes
from integrations.identity.authority import reads_all
from integrations.identity.catalog import catalog
from integrations.identity.errors import ActionForbidden, TokenNotFound
from integrations.identity.login import log_in
from integrations.identity.models import ApplicationCredential, Assignment, Domain, Project
from integrations.identity.tokens import Checked


def _token_answer(checked: Checked, secret: str, status: int, with_catalog: bool) -> HttpResponse:
    program = None
    if checked.application_credential_id:
        row = ApplicationCredential.objects.get(id=checked.application_credential_id)
        program = {"id": row.id, "name": row.name, "restricted": not row.unrestricted}
    body = {"token": shapes.token(checked, with_catalog, program)}
    return answer(body, status, {"X-Subject-Token": secret, "Vary": "X-Auth-Token"})


class TokenViewSet(ServiceViewSet):
    """``/v3/auth/tokens``."""

    service: ClassVar[str] = "identity"
    policy: ClassVar[dict[str, str]] = {
        "create": "identity:authenticate",
        "show": "identity:validate_token",
        "delete": "identity:revoke_token",
    }

    @accepts(schemas.AUTH)
    def create(self, request: Any, body: dict[str, Any]) -> HttpResponse:
        secret, _ = log_in(body["auth"], address_of(request._request))
        return _token_answer(tokens.look_up(secret), secret, 201, "nocatalog" not in request._request.GET)

    def _subject(self, action: str, others: bool) -> tuple[Checked, str]:
        """The token asked about: one's own, or any for ``others``. Raises TokenNotFound, ActionForbidden."""
        secret = self.request._request.headers.get("X-Subject-Token", "")
        try:
            checked = tokens.look_up(secret[:512])
        except Unauthorized:
            raise TokenNotFound from None
        if checked.user_id != self.actor.user_id and not others:
            raise ActionForbidden(action=f"identity:{action}")
        return checked, secret

    def show(self, request: Any) -> HttpResponse:
        trusted = reads_all(self.actor) or "service" in self.actor.roles
        checked, secret = self._subject("validate_token", trusted)
        return _token_answer(checked, secret, 200, "nocatalog" not in request._request.GET)

    def delete(self, request: Any) -> HttpResponse:
        checked, _ = self._subject("revoke_token", self.actor.is_admin)
        tokens.revoke(checked.id)
        return empty()


class MineViewSet(ServiceViewSet):
    """``/v3/auth/...``: what the caller could scope to, and the catalogue."""

    service: ClassVar[str] = "identity"
    policy: ClassVar[dict[str, str]] = {
        "catalog": "identity:get_auth_catalog",
        "projects": "identity:get_auth_projects",
        "domains": "identity:get_auth_domains",
        "system": "identity:get_auth_system",
    }

    def catalog(self, request: Any) -> HttpResponse:
        return answer({"catalog": catalog(), "links": shapes.links("auth/catalog")})

    def projects(self, request: Any) -> HttpResponse:
        rows = projects_of(self.actor.user_id).filter(enabled=True, domain__enabled=True)
        found = [shapes.project(row, [tag.name for tag in row.tags.all()]) for row in rows]
        return lists.whole(request, "projects", found)

    def domains(self, request: Any) -> HttpResponse:
        held = Assignment.objects.filter(grants.held_by(self.actor.user_id), domain__isnull=False, inherited=False)
        rows = Domain.objects.filter(id__in=held.values("domain_id"), enabled=True).order_by("name")
        return lists.whole(request, "domains", [shapes.domain(row) for row in rows])

    def system(self, request: Any) -> HttpResponse:
        held = Assignment.objects.filter(grants.held_by(self.actor.user_id), system=True).exists()
        return lists.whole(request, "system", [{"all": True}] if held else [])


def projects_of(user_id: str) -> Any:
    """The projects on which a user holds some role, inherited ones included."""
    held = Assignment.objects.filter(grants.held_by(user_id))
    direct = Q(id__in=held.filter(inherited=False).values("project_id"))
    below_domain = Q(domain_id__in=held.filter(inherited=True, domain__isnull=False).values("domain_id"))
    above = held.filter(inherited=True, project__isnull=False).values_list("project_id", flat=True)
    level = set(above)
    below: set[str] = set()
    while level:
        level = set(Project.objects.filter(parent_id__in=level).values_list("id", flat=True)) - below
        below |= level
    rows = Project.objects.filter(direct | below_domain | Q(id__in=below))
    return rows.prefetch_related("tags").order_by("name", "id")
