"""The first rows of a cloud: the default domain, the roles, projects and users. Safe to run again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from secrets import token_urlsafe

from django.db import transaction
from django.db.models import Q

from computecloud.core.errors import Invalid
from integrations.identity.grants import changed_for, changed_for_holders
from integrations.identity.models import (
    DEFAULT_DOMAIN_ID,
    Assignment,
    Domain,
    Project,
    Role,
    RoleImplication,
    User,
)
from integrations.identity.passwords import hashed

ROLES = ("admin", "manager", "member", "reader", "service")
CHAIN = (("admin", "manager"), ("manager", "member"), ("member", "reader"))
WELL_KNOWN = frozenset(
    (
        *("admin", "administrator", "password", "passw0rd", "secret", "changeme", "demo", "nova", "openstack"),
        *("computecloud", "root", "toor", "test", "guest", "123456", "12345678", "qwerty", "letmein"),
        *("secretadmin", "nomoresecret"),
    )
)


class WellKnownPassword(Invalid):
    """A password that everybody tries first (S48)."""

    message = "The password given for {name} is a well-known one."


@dataclass(slots=True)
class Bootstrapped:
    """What exists now. ``passwords`` holds those just set, by user name: the only time they can be told."""

    project_ids: dict[str, str] = field(default_factory=dict)
    user_ids: dict[str, str] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)


def _role(name: str) -> Role:
    return Role.objects.get_or_create(name=name, domain=None)[0]


def _domain() -> Domain:
    return Domain.objects.get_or_create(
        id=DEFAULT_DOMAIN_ID, defaults={"name": "Default", "description": "The default domain"}
    )[0]


def ensure_roles() -> dict[str, Role]:
    """The default domain, the roles and what they imply."""
    _domain()
    roles = {name: _role(name) for name in ROLES}
    for prior, implied in CHAIN:
        made = RoleImplication.objects.get_or_create(prior=roles[prior], implied=roles[implied])[1]
        if made:
            changed_for_holders([roles[prior].id])
    return roles


def ensure_project(name: str, description: str = "") -> Project:
    return Project.objects.get_or_create(domain_id=DEFAULT_DOMAIN_ID, name=name, defaults={"description": description})[
        0
    ]


def ensure_user(name: str, password: str | None, *, default_project: Project | None = None) -> tuple[User, str | None]:
    """The user, and the password when one was set now: an existing user keeps the password that it has.

    Without ``password`` a new user gets a random one. Raises WellKnownPassword.
    """
    found = User.objects.filter(domain_id=DEFAULT_DOMAIN_ID, name=name).first()
    if found is not None:
        return found, None
    if password is not None and (password.lower() in WELL_KNOWN or password.lower() == name.lower()):
        raise WellKnownPassword(name=name)
    secret = password or token_urlsafe(18)
    user = User.objects.create(
        name=name,
        domain_id=DEFAULT_DOMAIN_ID,
        password=hashed(secret),
        default_project_id=default_project.id if default_project else None,
    )
    return user, secret


def grant(user: User, role: Role, project: Project | None = None) -> None:
    """A role on a project, or on the system when no project is given."""
    _, made = Assignment.objects.get_or_create(
        user=user,
        role=role,
        project=project,
        system=project is None,
        group=None,
        domain=None,
        inherited=False,
    )
    if made:
        changed_for(Q(id=user.id))


def ensure(passwords: Mapping[str, str | None] | None = None, extra_projects: Sequence[str] = ()) -> Bootstrapped:
    """Everything a new cloud needs. ``passwords``: those of admin and demo (None or absent: random ones).

    Projects admin and demo (and ``extra_projects``); user admin with admin on project admin and on the
    system; user demo with member on project demo.
    """
    wanted = passwords or {}
    done = Bootstrapped()
    with transaction.atomic():
        roles = ensure_roles()
        projects = {"admin": ensure_project("admin", "The administrators' project")}
        projects["demo"] = ensure_project("demo", "The demo project")
        projects |= {name: ensure_project(name) for name in extra_projects}
        done.project_ids = {name: project.id for name, project in projects.items()}
        for name in ("admin", "demo"):
            user, secret = ensure_user(name, wanted.get(name), default_project=projects[name])
            done.user_ids[name] = user.id
            if secret is not None:
                done.passwords[name] = secret
            if name == "admin":
                grant(user, roles["admin"])
                grant(user, roles["admin"], projects["admin"])
            else:
                grant(user, roles["member"], projects["demo"])
    return done
