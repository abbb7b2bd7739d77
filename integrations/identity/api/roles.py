"""Roles, what they imply, and grants."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.http import HttpResponse

from computecloud.http.answers import answer, empty
from computecloud.http.views import ServiceViewSet, accepts, query
from integrations.identity.actions import roles as actions
from integrations.identity.actions.roles import Grant
from integrations.identity.api import lists, schemas, shapes
from integrations.identity.authority import found, readable, reads_all, reads_domain, writable
from integrations.identity.errors import ActionForbidden, EntityNotFound
from integrations.identity.models import Assignment, Domain, Group, Project, Role, RoleImplication, User


class RoleViewSet(ServiceViewSet):
    """``/v3/roles``."""

    service: ClassVar[str] = "identity"
    policy: ClassVar[dict[str, str]] = {
        "list": "identity:list_roles",
        "create": "identity:create_role",
        "show": "identity:get_role",
        "update": "identity:update_role",
        "delete": "identity:delete_role",
    }

    def _readable(self, action: str) -> QuerySet[Role]:
        if reads_all(self.actor):
            return Role.objects.all()
        domain_id = reads_domain(self.actor)
        if domain_id is None:
            raise ActionForbidden(action=f"identity:{action}")
        return Role.objects.filter(Q(domain=None) | Q(domain_id=domain_id))

    @query(lists.allowed("name", "domain_id", *lists.NAME_FORMS))
    def list(self, request: Any, params: lists.Params) -> HttpResponse:
        rows = self._readable("list_roles").filter(lists.by_name(params))
        rows = rows.filter(domain_id=params["domain_id"][-1] if "domain_id" in params else None)
        return lists.listed(request, "roles", rows, params, shapes.role)

    @accepts(schemas.CREATE_ROLE)
    def create(self, request: Any, body: dict[str, Any]) -> HttpResponse:
        return answer({"role": shapes.role(actions.create(body["role"]))}, 201)

    def show(self, request: Any, role_id: str) -> HttpResponse:
        return answer({"role": shapes.role(found(self._readable("get_role"), "role", role_id))})

    @accepts(schemas.UPDATE_ROLE)
    def update(self, request: Any, role_id: str, body: dict[str, Any]) -> HttpResponse:
        row = actions.update(found(Role.objects.all(), "role", role_id), body["role"])
        return answer({"role": shapes.role(row)})

    def delete(self, request: Any, role_id: str) -> HttpResponse:
        actions.delete(found(Role.objects.all(), "role", role_id))
        return empty()


class ImpliedRoleViewSet(ServiceViewSet):
    """``/v3/roles/{prior}/implies`` and ``/v3/role_inferences``."""

    service: ClassVar[str] = "identity"
    policy: ClassVar[dict[str, str]] = {
        "list": "identity:list_implied_roles",
        "show": "identity:get_implied_role",
        "check": "identity:check_implied_role",
        "create": "identity:create_implied_role",
        "delete": "identity:delete_implied_role",
        "every": "identity:list_role_inference_rules",
    }

    def _pair(self, prior_id: str, implied_id: str) -> tuple[Role, Role]:
        return found(Role.objects.all(), "role", prior_id), found(Role.objects.all(), "role", implied_id)

    def _existing(self, prior_id: str, implied_id: str) -> tuple[Role, Role]:
        pair = self._pair(prior_id, implied_id)
        if not RoleImplication.objects.filter(prior=pair[0], implied=pair[1]).exists():
            raise EntityNotFound(kind="implied role", id=implied_id)
        return pair

    def _shape(self, prior: Role, implied: Role) -> dict[str, Any]:
        rule = {"prior_role": shapes.role_link(prior), "implies": shapes.role_link(implied)}
        return {"role_inference": rule, "links": shapes.links(f"roles/{prior.id}/implies/{implied.id}")}

    def list(self, request: Any, prior_id: str) -> HttpResponse:
        prior = found(Role.objects.all(), "role", prior_id)
        implied = [shapes.role_link(row) for row in Role.objects.filter(implied_by__prior=prior).order_by("name")]
        rule = {"prior_role": shapes.role_link(prior), "implies": implied}
        return answer({"role_inference": rule, "links": shapes.links(f"roles/{prior.id}/implies")})

    def show(self, request: Any, prior_id: str, implied_id: str) -> HttpResponse:
        return answer(self._shape(*self._existing(prior_id, implied_id)))

    def check(self, request: Any, prior_id: str, implied_id: str) -> HttpResponse:
        self._existing(prior_id, implied_id)
        return empty()

    def create(self, request: Any, prior_id: str, implied_id: str) -> HttpResponse:
        prior, implied = self._pair(prior_id, implied_id)
        actions.imply(prior, implied)
        return answer(self._shape(prior, implied), 201)

    def delete(self, request: Any, prior_id: str, implied_id: str) -> HttpResponse:
        actions.unimply(*self._pair(prior_id, implied_id))
        return empty()

    def every(self, request: Any) -> HttpResponse:
        rules: dict[str, dict[str, Any]] = {}
        rows = RoleImplication.objects.select_related("prior", "implied").order_by("prior__name", "implied__name")
        for row in rows:
            rule = rules.setdefault(row.prior_id, {"prior_role": shapes.role_link(row.prior), "implies": []})
            rule["implies"].append(shapes.role_link(row.implied))
        return answer({"role_inferences": list(rules.values()), "links": shapes.links("role_inferences")})


class GrantViewSet(ServiceViewSet):
    """Roles of a user or group on a project, a domain or the system; also the inherited ones of OS-INHERIT."""

    service: ClassVar[str] = "identity"
    policy: ClassVar[dict[str, str]] = {
        "list": "identity:list_grants",
        "check": "identity:check_grant",
        "add": "identity:create_grant",
        "remove": "identity:revoke_grant",
    }

    def _grant(self, where: dict[str, str], *, inherited: bool, action: str, change: bool) -> Grant:
        """Holder and target of a path, as far as the caller's rights reach. Raises EntityNotFound, ActionForbidden."""
        reach = writable if change else readable
        users = reach(User.objects.all(), self.actor, action)
        holder: dict[str, Any] = (
            {"user": found(users, "user", where["user_id"])}
            if "user_id" in where
            else {"group": found(reach(Group.objects.all(), self.actor, action), "group", where["group_id"])}
        )
        if "project_id" in where:
            target: dict[str, Any] = {
                "project": found(reach(Project.objects.all(), self.actor, action), "project", where["project_id"])
            }
        elif "domain_id" in where:
            rows = reach(Domain.objects.all(), self.actor, action, "id")
            target = {"domain": found(rows, "domain", where["domain_id"])}
        elif reads_all(self.actor):
            target = {"system": True}
        else:
            raise ActionForbidden(action=f"identity:{action}")
        return Grant(**holder, **target, inherited=inherited)

    def list(self, request: Any, inherited: bool = False, **where: str) -> HttpResponse:
        place = self._grant(where, inherited=inherited, action="list_grants", change=False)
        rows = Role.objects.filter(id__in=Assignment.objects.filter(place.rows()).values("role_id")).order_by("name")
        return lists.whole(request, "roles", [shapes.role(row) for row in rows])

    def check(self, request: Any, role_id: str, inherited: bool = False, **where: str) -> HttpResponse:
        place = self._grant(where, inherited=inherited, action="check_grant", change=False)
        found(Role.objects.all(), "role", role_id)
        if not Assignment.objects.filter(place.rows(), role_id=role_id).exists():
            raise EntityNotFound(kind="role assignment with role", id=role_id)
        return empty()

    def add(self, request: Any, role_id: str, inherited: bool = False, **where: str) -> HttpResponse:
        place = self._grant(where, inherited=inherited, action="create_grant", change=True)
        actions.grant(self.actor, place, found(Role.objects.all(), "role", role_id))
        return empty()

    def remove(self, request: Any, role_id: str, inherited: bool = False, **where: str) -> HttpResponse:
        place = self._grant(where, inherited=inherited, action="revoke_grant", change=True)
        actions.revoke(self.actor, place, found(Role.objects.all(), "role", role_id))
        return empty()
