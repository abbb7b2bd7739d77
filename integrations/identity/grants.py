"""Which roles a user has in a scope, and the version number that tells tokens to look again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import F, Q

from integrations.identity.models import Assignment, Project, Role, RoleImplication, User

RoleRef = dict[str, str]
"""``{"id": ..., "name": ...}`` as tokens carry it."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a token counts: one project, one domain, the system, or (all empty) nowhere."""

    project_id: str | None = None
    domain_id: str | None = None
    system: bool = False

    @property
    def is_unscoped(self) -> bool:
        return not (self.project_id or self.domain_id or self.system)


def ancestors(project_id: str) -> tuple[list[str], str | None]:
    """Ids of the projects above one, nearest first, and its domain's id."""
    row = Project.objects.filter(id=project_id).values_list("parent_id", "domain_id").first()
    if row is None:
        return [], None
    above: list[str] = []
    parent: str | None = row[0]
    while parent and parent not in above:
        above.append(parent)
        parent = Project.objects.filter(id=parent).values_list("parent_id", flat=True).first()
    return above, row[1]


def on_scope(scope: Scope) -> Q:
    """The assignments that count in a scope, inherited ones included."""
    if scope.system:
        return Q(system=True)
    if scope.domain_id:
        return Q(domain_id=scope.domain_id, inherited=False)
    if not scope.project_id:
        return Q(pk__in=[])
    above, domain_id = ancestors(scope.project_id)
    own = Q(project_id=scope.project_id, inherited=False)
    return own | Q(inherited=True, domain_id=domain_id) | Q(inherited=True, project_id__in=above)


def held_by(user_id: str) -> Q:
    """The assignments of a user, those of the user's groups included."""
    return Q(user_id=user_id) | Q(group__members__user_id=user_id)


def implications() -> dict[str, set[str]]:
    """Role id → ids of the roles it implies directly."""
    found: dict[str, set[str]] = defaultdict(set)
    for prior, implied in RoleImplication.objects.values_list("prior_id", "implied_id"):
        found[prior].add(implied)
    return found


def expanded(role_ids: Iterable[str], rules: dict[str, set[str]] | None = None) -> set[str]:
    """The roles and all that they imply, however far."""
    table = implications() if rules is None else rules
    found: set[str] = set()
    waiting = list(role_ids)
    while waiting:
        role = waiting.pop()
        if role not in found:
            found.add(role)
            waiting.extend(table.get(role, ()))
    return found


def effective_roles(user_id: str, scope: Scope, only: Iterable[str] | None = None) -> list[RoleRef]:
    """The roles a token of this user would carry in this scope, sorted by name; implied ones included.

    ``only`` limits them to some role ids (and what those imply), as application credentials do.
    """
    held = set(Assignment.objects.filter(held_by(user_id), on_scope(scope)).values_list("role_id", flat=True))
    if not held:
        return []
    table = implications()
    have = expanded(held, table)
    if only is not None:
        have &= expanded(only, table)
    names = Role.objects.filter(id__in=have, domain=None).order_by("name").values_list("id", "name")
    return [{"id": role_id, "name": name} for role_id, name in names]


def is_cloud_admin(user_id: str) -> bool:
    """Whether the user holds admin on some project or on the system. Admin of a domain only is not meant."""
    held = Assignment.objects.filter(held_by(user_id), Q(project__isnull=False) | Q(system=True))
    roles = set(held.values_list("role_id", flat=True))
    return bool(roles) and Role.objects.filter(id__in=expanded(roles), name="admin", domain=None).exists()


def changed_for(users: Q) -> None:
    """Tell every token of these users to work its roles out anew."""
    User.objects.filter(users).update(grants_version=F("grants_version") + 1)


def changed_for_holders(role_ids: Iterable[str]) -> None:
    """The same for whoever holds one of the roles, directly, by group or by implication."""
    table = implications()
    wanted = set(role_ids)
    priors = {prior for prior in table if expanded([prior], table) & wanted} | wanted
    groups = Assignment.objects.filter(role_id__in=priors, group__isnull=False).values("group_id")
    holders = Assignment.objects.filter(role_id__in=priors, user__isnull=False).values("user_id")
    changed_for(Q(id__in=holders) | Q(memberships__group_id__in=groups))
