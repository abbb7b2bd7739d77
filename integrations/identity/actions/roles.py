"""Roles, what they imply, and granting them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Q

from computecloud.core.actor import Actor
from integrations.identity.actions.storing import storing
from integrations.identity.authority import delegable, found, manages_domain
from integrations.identity.bootstrap import ROLES
from integrations.identity.errors import ActionForbidden, EntityNotFound, Immutable, InvalidReference
from integrations.identity.grants import changed_for, changed_for_holders, expanded
from integrations.identity.models import (
    ApplicationCredential,
    Assignment,
    Domain,
    Group,
    Project,
    Role,
    RoleImplication,
    User,
)
from integrations.identity.tokens import forget_cached


def create(values: dict[str, Any]) -> Role:
    """Raises EntityNotFound (domain), Duplicate."""
    domain_id = values.get("domain_id")
    if domain_id:
        found(Domain.objects.all(), "domain", domain_id)
    where = f" at domain ID {domain_id}" if domain_id else ""
    with storing("role", f"name {values['name']}{where}"):
        return Role.objects.create(
            name=values["name"],
            domain_id=domain_id,
            description=values.get("description") or "",
            options=values.get("options", {}),
        )


def _mutable(role: Role) -> None:
    if (role.domain_id is None and role.name in ROLES) or role.options.get("immutable"):
        raise Immutable(what=f"The role {role.name}")


def update(role: Role, values: dict[str, Any]) -> Role:
    """Raises Duplicate, Immutable for the roles that policies are written in."""
    if values.get("domain_id", role.domain_id) != role.domain_id:
        raise InvalidReference(field="domain_id", reason="a role cannot move to another domain")
    if set(values) - {"options", "description"}:
        _mutable(role)
    changes = {name: values[name] for name in ("name", "description", "options") if name in values}
    if "description" in changes:
        changes["description"] = changes["description"] or ""
    with storing("role", f"name {values.get('name')}"):
        Role.objects.filter(id=role.id).update(**changes)
        changed_for_holders([role.id])
    role.refresh_from_db()
    return role


def delete(role: Role) -> None:
    """Raises Immutable. Holders lose it, and what it implied, at once."""
    _mutable(role)
    with transaction.atomic():
        changed_for_holders([role.id])
        role.delete()
        forget_cached()


def imply(prior: Role, implied: Role) -> None:
    """Raises InvalidReference for a circle; Immutable for admin and for a domain's role below a global one."""
    if implied.domain_id is None and implied.name == "admin":
        raise Immutable(what="Role admin is never implied; it")
    if prior.domain_id is None and implied.domain_id is not None:
        raise Immutable(what="A global role, which cannot imply one of a domain,")
    if prior.id in expanded([implied.id]):
        raise InvalidReference(field="implies", reason="roles cannot imply one another in a circle")
    with transaction.atomic():
        RoleImplication.objects.get_or_create(prior=prior, implied=implied)
        changed_for_holders([prior.id])
        forget_cached()


def unimply(prior: Role, implied: Role) -> None:
    """Raises EntityNotFound."""
    with transaction.atomic():
        changed_for_holders([prior.id])
        deleted, _ = RoleImplication.objects.filter(prior=prior, implied=implied).delete()
        if not deleted:
            raise EntityNotFound(kind="implied role", id=implied.id)
        forget_cached()


@dataclass(frozen=True, slots=True)
class Grant:
    """Who gets (or has) something where: exactly one holder, exactly one target."""

    user: User | None = None
    group: Group | None = None
    project: Project | None = None
    domain: Domain | None = None
    system: bool = False
    inherited: bool = False

    def rows(self) -> Q:
        return Q(
            user=self.user,
            group=self.group,
            project=self.project,
            domain=self.domain,
            system=self.system,
            inherited=self.inherited,
        )

    def holders(self) -> Q:
        return Q(id=self.user.id) if self.user else Q(memberships__group=self.group)

    def within(self, domain_id: str | None) -> bool:
        """Whether holder and target both belong to a domain."""
        holder, target = self.user or self.group, self.project or self.domain
        owner = target.domain_id if isinstance(target, Project) else target.id if target else None
        return domain_id is not None and holder is not None and holder.domain_id == domain_id == owner


def _may_pass_on(actor: Actor, where: Grant, role: Role, action: str) -> None:
    """Administrators grant anything; a domain's manager only lesser roles inside the domain. Raises ActionForbidden."""
    if actor.is_admin:
        return
    if not where.within(manages_domain(actor)) or role.domain_id is not None or not delegable([role.id]):
        raise ActionForbidden(action=f"identity:{action}")


def grant(actor: Actor, where: Grant, role: Role) -> None:
    """Give a role; giving it twice is no error. Raises ActionForbidden, InvalidReference."""
    _may_pass_on(actor, where, role, "create_grant")
    with transaction.atomic():
        Assignment.objects.get_or_create(
            role=role,
            user=where.user,
            group=where.group,
            project=where.project,
            domain=where.domain,
            system=where.system,
            inherited=where.inherited,
        )
        changed_for(where.holders())
        forget_cached()


def revoke(actor: Actor, where: Grant, role: Role) -> None:
    """Take a role back, with the application credentials that a user made from it. Raises EntityNotFound."""
    _may_pass_on(actor, where, role, "revoke_grant")
    with transaction.atomic():
        changed_for(where.holders())
        deleted, _ = Assignment.objects.filter(where.rows(), role=role).delete()
        if not deleted:
            raise EntityNotFound(kind="role assignment with role", id=role.id)
        if where.user is not None and where.project is not None:
            ApplicationCredential.objects.filter(user=where.user, project=where.project).delete()
        forget_cached()
