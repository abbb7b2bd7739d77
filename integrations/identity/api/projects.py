"""Projects, their tags, and domains."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.http import HttpResponse

from computecloud.core.actor import Actor
from computecloud.http.answers import answer, empty
from computecloud.http.views import ServiceViewSet, accepts, query
from integrations.identity.actions import projects as actions
from integrations.identity.api import lists, schemas, shapes
from integrations.identity.api.auth import projects_of
from integrations.identity.authority import found, readable, reads_all, reads_domain, writable
from integrations.identity.errors import ActionForbidden, EntityNotFound
from integrations.identity.models import Domain, Project


def shaped(row: Project) -> dict[str, Any]:
    return shapes.project(row, sorted(tag.name for tag in row.tags.all()))


def visible(actor: Actor, project_id: str, action: str) -> Project:
    """A project to be shown: the caller's own, or by right. Raises ActionForbidden, EntityNotFound."""
    rows = Project.objects.prefetch_related("tags")
    if not reads_all(actor) and not reads_domain(actor):
        own = rows.filter(id=project_id).first() if project_id == actor.project_id else None
        own = own or projects_of(actor.user_id).filter(id=project_id).first()
        if own is None:
            raise ActionForbidden(action=f"identity:{action}")
        return own
    return found(readable(rows, actor, action), "project", project_id)


def tagged(rows: QuerySet[Project], params: lists.Params) -> QuerySet[Project]:
    """The four tag filters: tags (all of), tags-any, not-tags, not-tags-any."""

    def words(name: str) -> list[str]:
        return [word for word in params.get(name, [""])[-1].split(",") if word]

    for word in words("tags"):
        rows = rows.filter(tags__name=word)
    if words("tags-any"):
        rows = rows.filter(tags__name__in=words("tags-any")).distinct()
    if words("not-tags-any"):
        rows = rows.exclude(tags__name__in=words("not-tags-any"))
    if words("not-tags"):
        all_of = Project.objects.all()
        for word in words("not-tags"):
            all_of = all_of.filter(tags__name=word)
        rows = rows.exclude(id__in=all_of.values("id"))
    return rows


class ProjectViewSet(ServiceViewSet):
    """``/v3/projects``."""

    service: ClassVar[str] = "identity"
    policy: ClassVar[dict[str, str]] = {
        "list": "identity:list_projects",
        "create": "identity:create_project",
        "show": "identity:get_project",
        "update": "identity:update_project",
        "delete": "identity:delete_project",
        "of_user": "identity:list_user_projects",
    }
    FILTERS = ("name", "domain_id", "parent_id", "enabled", "is_domain", *lists.NAME_FORMS)
    TAG_FILTERS = ("tags", "tags-any", "not-tags", "not-tags-any")

    def _page(self, rows: QuerySet[Project], params: lists.Params) -> HttpResponse:
        rows = lists.filtered(
            rows.filter(lists.by_name(params)), params, same={"domain_id": "domain_id"}, flags=("enabled",)
        )
        if "parent_id" in params:
            parent_id = params["parent_id"][-1]
            rows = rows.filter(Q(parent_id=parent_id) | Q(parent=None, domain_id=parent_id))
        rows = tagged(rows, params).prefetch_related("tags")
        return lists.listed(self.request, "projects", rows, params, shaped)

    @query(lists.allowed(*FILTERS, *TAG_FILTERS))
    def list(self, request: Any, params: lists.Params) -> HttpResponse:
        if "is_domain" in params and lists.truth(params["is_domain"][-1]):
            domains = readable(Domain.objects.filter(lists.by_name(params)), self.actor, "list_projects", "id")
            return lists.listed(request, "projects", domains, params, shapes.domain_as_project)
        return self._page(readable(Project.objects.all(), self.actor, "list_projects"), params)

    @query(lists.allowed(*FILTERS))
    def of_user(self, request: Any, user_id: str, params: lists.Params) -> HttpResponse:
        rows = projects_of(user_id)
        if user_id != self.actor.user_id:
            rows = readable(rows, self.actor, "list_user_projects")
        return self._page(rows.prefetch_related(None), params)

    @accepts(schemas.CREATE_PROJECT)
    def create(self, request: Any, body: dict[str, Any]) -> HttpResponse:
        values = body["project"]
        if values.get("is_domain"):
            return answer({"project": shapes.domain_as_project(actions.create_as_domain(self.actor, values))}, 201)
        return answer({"project": shaped(actions.create(self.actor, values))}, 201)

    def show(self, request: Any, project_id: str) -> HttpResponse:
        row = visible(self.actor, project_id, "get_project")
        shape = shaped(row)
        asked = request._request.GET
        if "parents_as_ids" in asked:
            shape["parents"] = _tree_up(row)
        if "subtree_as_ids" in asked:
            shape["subtree"] = _tree_down(row.id)
        return answer({"project": shape})

    @accepts(schemas.UPDATE_PROJECT)
    def update(self, request: Any, project_id: str, body: dict[str, Any]) -> HttpResponse:
        if self.actor.is_admin and (domain := Domain.objects.filter(id=project_id).first()) is not None:
            return answer({"project": shapes.domain_as_project(actions.update_domain(domain, body["project"]))})
        row = found(writable(Project.objects.all(), self.actor, "update_project"), "project", project_id)
        return answer({"project": shaped(actions.update(row, body["project"]))})

    def delete(self, request: Any, project_id: str) -> HttpResponse:
        if self.actor.is_admin and (domain := Domain.objects.filter(id=project_id).first()) is not None:
            actions.delete_domain(domain)
            return empty()
        row = found(writable(Project.objects.all(), self.actor, "delete_project"), "project", project_id)
        actions.delete(row)
        return empty()


def _tree_up(row: Project) -> dict[str, Any]:
    if row.parent is None:
        return {row.domain_id: None}
    return {row.parent.id: _tree_up(row.parent)}


def _tree_down(project_id: str) -> dict[str, Any] | None:
    children = Project.objects.filter(parent_id=project_id).values_list("id", flat=True)
    return {child: _tree_down(child) for child in children} or None


class ProjectTagViewSet(ServiceViewSet):
    """``/v3/projects/{project_id}/tags``."""

    service: ClassVar[str] = "identity"
    policy: ClassVar[dict[str, str]] = {
        "list": "identity:list_project_tags",
        "replace": "identity:update_project_tags",
        "clear": "identity:delete_project_tags",
        "check": "identity:get_project_tag",
        "add": "identity:create_project_tag",
        "remove": "identity:delete_project_tag",
    }

    def _mine(self, project_id: str, action: str) -> Project:
        return found(writable(Project.objects.all(), self.actor, action), "project", project_id)

    def list(self, request: Any, project_id: str) -> HttpResponse:
        row = visible(self.actor, project_id, "list_project_tags")
        return answer({"tags": shaped(row)["tags"], "links": shapes.links(f"projects/{row.id}/tags")})

    @accepts(schemas.PROJECT_TAGS)
    def replace(self, request: Any, project_id: str, body: dict[str, Any]) -> HttpResponse:
        row = actions.update(self._mine(project_id, "update_project_tags"), {"tags": body["tags"]})
        return answer({"tags": shaped(row)["tags"], "links": shapes.links(f"projects/{row.id}/tags")})

    def clear(self, request: Any, project_id: str) -> HttpResponse:
        actions.update(self._mine(project_id, "delete_project_tags"), {"tags": []})
        return empty()

    def check(self, request: Any, project_id: str, tag: str) -> HttpResponse:
        row = visible(self.actor, project_id, "get_project_tag")
        if tag not in shaped(row)["tags"]:
            raise EntityNotFound(kind="project tag", id=tag)
        return empty()

    def add(self, request: Any, project_id: str, tag: str) -> HttpResponse:
        row = self._mine(project_id, "create_project_tag")
        actions.add_tag(row, tag)
        return empty(201, {"Location": shapes.links(f"projects/{row.id}/tags/{tag}")["self"]})

    def remove(self, request: Any, project_id: str, tag: str) -> HttpResponse:
        row = self._mine(project_id, "delete_project_tag")
        deleted, _ = row.tags.filter(name=tag).delete()
        if not deleted:
            raise EntityNotFound(kind="project tag", id=tag)
        return empty()


class DomainViewSet(ServiceViewSet):
    """``/v3/domains``."""

    service: ClassVar[str] = "identity"
    policy: ClassVar[dict[str, str]] = {
        "list": "identity:list_domains",
        "create": "identity:create_domain",
        "show": "identity:get_domain",
        "update": "identity:update_domain",
        "delete": "identity:delete_domain",
    }

    @query(lists.allowed("name", "enabled", *lists.NAME_FORMS))
    def list(self, request: Any, params: lists.Params) -> HttpResponse:
        rows = readable(Domain.objects.filter(lists.by_name(params)), self.actor, "list_domains", "id")
        rows = lists.filtered(rows, params, same={}, flags=("enabled",))
        return lists.listed(request, "domains", rows, params, shapes.domain)

    @accepts(schemas.CREATE_DOMAIN)
    def create(self, request: Any, body: dict[str, Any]) -> HttpResponse:
        return answer({"domain": shapes.domain(actions.create_domain(body["domain"]))}, 201)

    def show(self, request: Any, domain_id: str) -> HttpResponse:
        own = domain_id in (self.actor.project_domain_id, self.actor.domain_id, self.actor.user_domain_id)
        rows = Domain.objects.all() if own else readable(Domain.objects.all(), self.actor, "get_domain", "id")
        return answer({"domain": shapes.domain(found(rows, "domain", domain_id))})

    @accepts(schemas.UPDATE_DOMAIN)
    def update(self, request: Any, domain_id: str, body: dict[str, Any]) -> HttpResponse:
        row = actions.update_domain(found(Domain.objects.all(), "domain", domain_id), body["domain"])
        return answer({"domain": shapes.domain(row)})

    def delete(self, request: Any, domain_id: str) -> HttpResponse:
        actions.delete_domain(found(Domain.objects.all(), "domain", domain_id))
        return empty()
