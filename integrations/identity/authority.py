"""How far a caller's rights in Identity reach: the cloud, one domain, or only what is their own.

A cloud administrator holds ``admin`` on a project or the system. With a domain-scoped token, ``manager`` (or admin of
that domain, which arrives as manager) manages that domain's people; ``reader`` reads them.
"""

from __future__ import annotations

from typing import TypeVar

from django.db.models import Model, Q, QuerySet

from computecloud.core.actor import Actor
from integrations.identity.errors import ActionForbidden, EntityNotFound
from integrations.identity.grants import expanded, is_cloud_admin
from integrations.identity.models import Assignment, Role, User

M = TypeVar("M", bound=Model)
DELEGABLE = ("manager", "member", "reader")
"""The roles that a domain's manager may grant, inside the domain."""


def reads_all(actor: Actor) -> bool:
    return actor.is_admin or (actor.system and "reader" in actor.roles)


def reads_domain(actor: Actor) -> str | None:
    """The one domain that the caller may read beyond their own things."""
    return actor.domain_id if actor.domain_id and "reader" in actor.roles else None


def manages_domain(actor: Actor) -> str | None:
    return actor.domain_id if actor.domain_id and "manager" in actor.roles else None


def readable(rows: QuerySet[M], actor: Actor, action: str, column: str = "domain_id") -> QuerySet[M]:
    """The rows the caller may read; ``column`` holds the domain. Raises ActionForbidden for those who read none."""
    if reads_all(actor):
        return rows
    domain_id = reads_domain(actor)
    if domain_id is None:
        raise ActionForbidden(action=f"identity:{action}")
    return rows.filter(Q(**{column: domain_id}))


def writable(rows: QuerySet[M], actor: Actor, action: str, column: str = "domain_id") -> QuerySet[M]:
    """The rows the caller may change. Raises ActionForbidden for those who may change none."""
    if actor.is_admin:
        return rows
    domain_id = manages_domain(actor)
    if domain_id is None:
        raise ActionForbidden(action=f"identity:{action}")
    return rows.filter(Q(**{column: domain_id}))


def found(rows: QuerySet[M], kind: str, id: str) -> M:
    """The row with this id. Raises EntityNotFound, in Keystone's words for ``kind``."""
    row = rows.filter(pk=id).first()
    if row is None:
        raise EntityNotFound(kind=kind, id=id[:100])
    return row


def domain_for_new(actor: Actor, wanted: str | None, action: str, default: str) -> str:
    """The domain that a new user, group or project goes to. Raises ActionForbidden."""
    if actor.is_admin:
        return wanted or default
    domain_id = manages_domain(actor)
    if domain_id is None or (wanted is not None and wanted != domain_id):
        raise ActionForbidden(action=f"identity:{action}")
    return domain_id


def not_above(actor: Actor, user: User, action: str) -> None:
    """Nobody changes a principal ranked above himself. Raises ActionForbidden."""
    if not actor.is_admin and is_cloud_admin(user.id):
        raise ActionForbidden(action=f"identity:{action}")


def group_within(actor: Actor, group_id: str, action: str) -> None:
    """A domain's manager may fill only groups that give nothing outside the domain. Raises ActionForbidden."""
    if actor.is_admin:
        return
    domain_id = manages_domain(actor)
    held = Assignment.objects.filter(group_id=group_id)
    outside = held.exclude(Q(project__domain_id=domain_id) | Q(domain_id=domain_id)).exists()
    if outside or not delegable(held.values_list("role_id", flat=True)):
        raise ActionForbidden(action=f"identity:{action}")


def delegable(role_ids: QuerySet[Assignment, str] | list[str]) -> bool:
    """Whether these roles, and all they imply, are ones that a domain's manager may pass on."""
    names = Role.objects.filter(id__in=expanded(role_ids), domain=None).values_list("name", flat=True)
    return set(names) <= set(DELEGABLE)
