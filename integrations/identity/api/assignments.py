"""``/v3/role_assignments``: who holds what where, as granted or as it works out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.http import HttpResponse

from computecloud.http.pagination import public_link
from computecloud.http.views import ServiceViewSet, query
from integrations.identity import grants
from integrations.identity.api import lists
from integrations.identity.api.lists import truth
from integrations.identity.authority import reads_all, reads_domain
from integrations.identity.errors import ActionForbidden
from integrations.identity.models import Assignment, Domain, Group, GroupMember, Project, Role, User

MOST = 10_000


@dataclass(frozen=True, slots=True)
class Held:
    """One line of the answer; ids only."""

    role_id: str
    user_id: str | None
    group_id: str | None
    project_id: str | None
    domain_id: str | None
    inherited: bool
    path: str


def _path(row: Any) -> str:
    target = (
        f"projects/{row.project_id}" if row.project_id else f"domains/{row.domain_id}" if row.domain_id else "system"
    )
    holder = f"users/{row.user_id}" if row.user_id else f"groups/{row.group_id}"
    middle = f"{target}/{holder}/roles/{row.role_id}"
    return f"OS-INHERIT/{middle}/inherited_to_projects" if row.inherited else middle


def _granted(rows: QuerySet[Assignment]) -> Iterator[Held]:
    for row in rows[:MOST]:
        yield Held(row.role_id, row.user_id, row.group_id, row.project_id, row.domain_id, row.inherited, _path(row))


def _projects_below(row: Held) -> list[str]:
    """The projects that an inherited grant counts on."""
    if row.domain_id:
        return list(Project.objects.filter(domain_id=row.domain_id).values_list("id", flat=True))
    below: list[str] = []
    level = [row.project_id] if row.project_id else []
    while level:
        level = list(Project.objects.filter(parent_id__in=level).exclude(id__in=below).values_list("id", flat=True))
        below += level
    return below


def effective(rows: Iterator[Held]) -> Iterator[Held]:
    """Groups become their members, inherited grants the projects below, roles all that they imply.

    Roles of a domain only serve to imply and are left out, as they are from tokens.
    """
    table = grants.implications()
    effective_ones = set(Role.objects.filter(domain=None).values_list("id", flat=True))
    members: dict[str, list[str]] = defaultdict(list)
    for group_id, user_id in GroupMember.objects.values_list("group_id", "user_id"):
        members[group_id].append(user_id)
    seen: set[tuple[Any, ...]] = set()
    for row in rows:
        users = [row.user_id] if row.user_id else members[row.group_id or ""]
        places = [(p, None) for p in _projects_below(row)] if row.inherited else [(row.project_id, row.domain_id)]
        for user_id in users:
            for project_id, domain_id in places:
                for role_id in sorted(grants.expanded([row.role_id], table) & effective_ones):
                    key = (role_id, user_id, project_id, domain_id)
                    if key not in seen:
                        seen.add(key)
                        yield replace(
                            row,
                            role_id=role_id,
                            user_id=user_id,
                            group_id=None,
                            project_id=project_id,
                            domain_id=domain_id,
                            inherited=False,
                        )


class Names:
    """Names for the ids of one answer: one query for each kind."""

    def __init__(self, rows: list[Held]) -> None:
        self._domains = dict(Domain.objects.values_list("id", "name"))
        self._found: dict[str, dict[str, tuple[str, str | None]]] = {}
        for attribute, model in (
            ("role_id", Role),
            ("user_id", User),
            ("group_id", Group),
            ("project_id", Project),
        ):
            ids = {getattr(row, attribute) for row in rows}
            columns = model._default_manager.filter(pk__in=ids).values_list("id", "name", "domain_id")
            self._found[attribute] = {id: (name, domain_id) for id, name, domain_id in columns}

    def of(self, attribute: str, id: str) -> dict[str, Any]:
        name, domain_id = self._found[attribute].get(id, ("", None))
        shape: dict[str, Any] = {"id": id, "name": name}
        if domain_id is not None:
            shape["domain"] = {"id": domain_id, "name": self._domains.get(domain_id, "")}
        return shape

    def domain(self, id: str) -> dict[str, Any]:
        return {"id": id, "name": self._domains.get(id, "")}


def _shape(row: Held, names: Names | None) -> dict[str, Any]:
    def ref(attribute: str, id: str) -> dict[str, Any]:
        return {"id": id} if names is None else names.of(attribute, id)

    shape: dict[str, Any] = {"role": ref("role_id", row.role_id)}
    if row.user_id:
        shape["user"] = ref("user_id", row.user_id)
    elif row.group_id:
        shape["group"] = ref("group_id", row.group_id)
    scope: dict[str, Any] = {}
    if row.project_id:
        scope["project"] = ref("project_id", row.project_id)
    elif row.domain_id:
        scope["domain"] = {"id": row.domain_id} if names is None else names.domain(row.domain_id)
    else:
        scope["system"] = {"all": True}
    if row.inherited:
        scope["OS-INHERIT:inherited_to"] = "projects"
    return shape | {"scope": scope, "links": {"assignment": public_link(f"/identity/v3/{row.path}")}}


class RoleAssignmentViewSet(ServiceViewSet):
    """All grants that the caller may see."""

    service: ClassVar[str] = "identity"
    policy: ClassVar[dict[str, str]] = {"list": "identity:list_role_assignments"}
    FILTERS = {
        "user.id": "user_id",
        "group.id": "group_id",
        "role.id": "role_id",
        "scope.project.id": "project_id",
        "scope.domain.id": "domain_id",
    }
    OTHERS = (
        "scope.system",
        "scope.OS-INHERIT:inherited_to",
        "effective",
        "include_names",
        "include_subtree",
    )

    def _visible(self, params: lists.Params) -> QuerySet[Assignment]:
        """All for administrators, one domain's for its reader, one's own for everybody."""
        rows = Assignment.objects.order_by("id")
        if reads_all(self.actor):
            return rows
        domain_id = reads_domain(self.actor)
        if domain_id is not None:
            return rows.filter(Q(domain_id=domain_id) | Q(project__domain_id=domain_id))
        if params.get("user.id") == [self.actor.user_id]:
            return rows
        raise ActionForbidden(action="identity:list_role_assignments")

    def _asked(self, rows: QuerySet[Assignment], params: lists.Params, works_out: bool) -> QuerySet[Assignment]:
        """Filters on what is granted. With ``effective`` those that the working out can change come later."""
        if "scope.system" in params:
            rows = rows.filter(system=True)
        if "scope.OS-INHERIT:inherited_to" in params:
            rows = rows.filter(inherited=True)
        if works_out:
            if "user.id" in params:
                rows = rows.filter(grants.held_by(params["user.id"][-1])).distinct()
            return rows
        if "scope.project.id" in params and truth(params.get("include_subtree", ["0"])[-1]):
            root = params["scope.project.id"][-1]
            below = _projects_below(Held("", None, None, root, None, True, ""))
            rest = {name: column for name, column in self.FILTERS.items() if column != "project_id"}
            return lists.filtered(rows.filter(project_id__in=[root, *below]), params, same=rest)
        return lists.filtered(rows, params, same=self.FILTERS)

    @query(dict.fromkeys((*FILTERS, *OTHERS), lists.TEXT))
    def list(self, request: Any, params: lists.Params) -> HttpResponse:
        works_out = "effective" in params and truth(params["effective"][-1])
        found = _granted(self._asked(self._visible(params), params, works_out))
        if works_out:
            wanted = {column: params[name][-1] for name, column in self.FILTERS.items() if name in params}
            found = (
                row for row in effective(found) if all(getattr(row, column) == id for column, id in wanted.items())
            )
        rows = [*found]
        names = Names(rows) if "include_names" in params and truth(params["include_names"][-1]) else None
        return lists.whole(request, "role_assignments", [_shape(row, names) for row in rows])
