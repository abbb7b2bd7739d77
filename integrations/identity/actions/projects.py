"""Projects and domains: made, changed, ended. News of an end goes to the outbox, for the apps that hold resources."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from computecloud.core.actor import Actor
from computecloud.core.errors import Forbidden
from integrations.identity.actions.storing import own_properties, storing
from integrations.identity.authority import domain_for_new, found
from integrations.identity.errors import ActionForbidden, DomainStillEnabled, Immutable, InvalidReference
from integrations.identity.grants import ancestors
from integrations.identity.models import DEFAULT_DOMAIN_ID, Domain, Project, ProjectTag, Token, User
from integrations.identity.tokens import forget_cached
from operations.models import Outbox

DEEPEST = 5
MOST_TAGS = 80
NOT_EXTRA = ("name", "description", "enabled", "domain_id", "parent_id", "tags", "is_domain", "options")


class HasChildren(Forbidden):
    message = (
        "You are not authorized to perform the requested action: "
        "Cannot delete the project {id} since it is not a leaf in the hierarchy."
    )


class TooDeep(Forbidden):
    message = "You are not authorized to perform the requested action: Max hierarchy depth reached for {id} branch."


def _parent(values: dict[str, Any], domain_id: str) -> Project | None:
    """The project to hang a new one under; None: the top. Raises EntityNotFound, Invalid, TooDeep."""
    parent_id = values.get("parent_id")
    if parent_id is None or parent_id == domain_id:
        return None
    parent = found(Project.objects.all(), "project", parent_id)
    if parent.domain_id != domain_id:
        raise InvalidReference(field="parent_id", reason="the parent is in another domain")
    if len(ancestors(parent.id)[0]) + 2 > DEEPEST:
        raise TooDeep(id=parent.id)
    return parent


def create(actor: Actor, values: dict[str, Any]) -> Project:
    """A new project. Raises EntityNotFound (domain, parent), Duplicate, ActionForbidden, TooDeep."""
    wanted = values.get("domain_id")
    if wanted is None and values.get("parent_id"):
        above = Project.objects.filter(id=values["parent_id"]).values_list("domain_id", flat=True).first()
        wanted = above or (values["parent_id"] if Domain.objects.filter(id=values["parent_id"]).exists() else None)
    domain_id = domain_for_new(actor, wanted, "create_project", DEFAULT_DOMAIN_ID)
    found(Domain.objects.all(), "domain", domain_id)
    parent = _parent(values, domain_id)
    with storing("project", f"name {values['name']} at domain ID {domain_id}"):
        project = Project.objects.create(
            name=values["name"],
            domain_id=domain_id,
            parent=parent,
            description=values.get("description") or "",
            enabled=values.get("enabled", True),
            extra=own_properties(values, NOT_EXTRA),
        )
        set_tags(project, values.get("tags", []))
    return project


def update(project: Project, values: dict[str, Any]) -> Project:
    """Raises Duplicate, Invalid, Forbidden (a project does not move)."""
    if values.get("domain_id", project.domain_id) != project.domain_id:
        raise InvalidReference(field="domain_id", reason="a project cannot move to another domain")
    if values.get("parent_id", project.parent_id) not in (project.parent_id, project.domain_id):
        raise Immutable(what="The parent of a project")
    changes: dict[str, Any] = {name: values[name] for name in ("name", "description", "enabled") if name in values}
    if "description" in changes:
        changes["description"] = changes["description"] or ""
    changes["extra"] = own_properties(values, NOT_EXTRA, project.extra)
    with storing("project", f"name {values.get('name')} at domain ID {project.domain_id}"):
        Project.objects.filter(id=project.id).update(**changes)
        if "tags" in values:
            set_tags(project, values["tags"])
        if project.enabled and changes.get("enabled") is False:
            Token.objects.filter(project_id=project.id).delete()
            Outbox.tell("project.disabled", project_id=project.id)
    project.refresh_from_db()
    return project


def set_tags(project: Project, names: list[str]) -> None:
    """Replace all tags."""
    project.tags.exclude(name__in=names).delete()
    have = set(project.tags.values_list("name", flat=True))
    ProjectTag.objects.bulk_create(ProjectTag(project=project, name=name) for name in names if name not in have)


def add_tag(project: Project, name: str) -> None:
    """Raises InvalidReference beyond MOST_TAGS."""
    if project.tags.exclude(name=name).count() >= MOST_TAGS:
        raise InvalidReference(field="tags", reason=f"a project has at most {MOST_TAGS} tags")
    ProjectTag.objects.get_or_create(project=project, name=name)


def delete(project: Project) -> None:
    """End a project with its tokens, grants and application credentials. Raises HasChildren."""
    with transaction.atomic():
        if project.children.exists():
            raise HasChildren(id=project.id)
        User.objects.filter(default_project_id=project.id).update(default_project_id=None)
        project_id = project.id
        project.delete()
        Outbox.tell("project.deleted", project_id=project_id)
        forget_cached()


def create_domain(values: dict[str, Any]) -> Domain:
    """Raises Duplicate."""
    with storing("domain", f"name {values['name']}"):
        return Domain.objects.create(
            name=values["name"],
            description=values.get("description") or "",
            enabled=values.get("enabled", True),
        )


def create_as_domain(actor: Actor, values: dict[str, Any]) -> Domain:
    """Keystone's older way to make a domain: a project that is one. Raises ActionForbidden, Duplicate, Invalid."""
    if not actor.is_admin:
        raise ActionForbidden(action="identity:create_project")
    if values.get("domain_id") or values.get("parent_id"):
        raise InvalidReference(field="domain_id", reason="a domain lies in no other")
    return create_domain(values)


def update_domain(domain: Domain, values: dict[str, Any]) -> Domain:
    """Disabling ends the tokens of the domain's users and projects. Raises Duplicate, Immutable."""
    if domain.id == DEFAULT_DOMAIN_ID and values.get("enabled") is False:
        raise Immutable(what="The default domain")
    changes: dict[str, Any] = {name: values[name] for name in ("name", "description", "enabled") if name in values}
    if "description" in changes:
        changes["description"] = changes["description"] or ""
    with storing("domain", f"name {values.get('name')}"):
        Domain.objects.filter(id=domain.id).update(**changes)
    domain.refresh_from_db()
    return domain


def delete_domain(domain: Domain) -> None:
    """End a disabled domain with all its users, groups and projects. Raises DomainStillEnabled, Immutable."""
    if domain.id == DEFAULT_DOMAIN_ID:
        raise Immutable(what="The default domain")
    if domain.enabled:
        raise DomainStillEnabled
    with transaction.atomic():
        for project_id in domain.projects.values_list("id", flat=True):
            Outbox.tell("project.deleted", project_id=project_id)
        for user_id in domain.users.values_list("id", flat=True):
            Outbox.tell("user.deleted", user_id=user_id)
        domain.projects.update(parent=None)
        domain.delete()
        forget_cached()
