"""The login state machine: one method, proven, then one scope, then a token. No other path makes a token (S47)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import structlog

from computecloud.core.clock import utcnow
from computecloud.core.errors import Unauthorized
from integrations.identity.errors import ActionForbidden, TooManyLogins
from integrations.identity.grants import RoleRef, Scope, effective_roles
from integrations.identity.models import ApplicationCredential, Domain, Project, Token, User
from integrations.identity.passwords import fits
from integrations.identity.throttle import THROTTLE
from integrations.identity.tokens import Checked, issue, look_up

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Proven:
    """Who it is, and what the proof allows. The explicit success of the first half of a login."""

    user: User
    methods: list[str]
    parent: Checked | None = None
    application_credential: ApplicationCredential | None = None


def _find_user(wish: dict[str, Any]) -> tuple[User | None, str]:
    """The user a body names, and the key its failures are counted under (also for names that nobody has)."""
    users = User.objects.select_related("domain")
    if "id" in wish:
        user = users.filter(id=wish["id"]).first()
        return user, user.id if user else f"?{wish['id']}"
    domain = wish.get("domain", {})
    where = {"domain_id": domain["id"]} if "id" in domain else {"domain__name": domain.get("name", "")}
    user = users.filter(name=wish["name"], **where).first()
    return user, user.id if user else f"?{sorted(domain.items())}/{wish['name']}"


def _check_secret(user: User | None, stored: str | None, secret: str, account: str, address: str) -> User:
    """The one place where a secret is judged. Unknown, wrong, locked and disabled give one answer at one cost."""
    if THROTTLE.address_blocked(address):
        raise TooManyLogins
    locked = THROTTLE.account_blocked(account, address)
    right = fits(secret, stored)
    if right and not locked and user is not None and user.enabled and user.domain.enabled:
        THROTTLE.succeeded(account, address)
        return user
    THROTTLE.failed(account, address)
    # people type passwords where the name belongs: a name that nobody has is not written down (S51)
    known = user.id if user else "unknown"
    log.info("login refused", account=known, address=address, locked=locked)
    raise Unauthorized


def check_password(wish: dict[str, Any], address: str) -> User:
    """The user behind ``{"id" | "name"+"domain", "password"}``. Raises Unauthorized or TooManyLogins."""
    user, account = _find_user(wish)
    return _check_secret(user, user.password if user else None, wish["password"], account, address)


def _by_password(body: dict[str, Any], address: str) -> Proven:
    return Proven(check_password(body["user"], address), ["password"])


def _by_token(body: dict[str, Any], address: str) -> Proven:
    token = look_up(body["id"])
    if token.application_credential_id:
        raise ActionForbidden(action="rescope a token")
    user = User.objects.select_related("domain").get(id=token.user_id)
    return Proven(user, ["token", *(name for name in token.methods if name != "token")], parent=token)


def _by_application_credential(body: dict[str, Any], address: str) -> Proven:
    found = ApplicationCredential.objects.select_related("user__domain")
    if "id" in body:
        credential, account = found.filter(id=body["id"]).first(), f"app:{body['id']}"
    else:
        user, owner = _find_user(body["user"])
        credential = found.filter(user=user, name=body["name"]).first() if user else None
        account = f"app:{owner}/{body['name']}"
    alive = credential is not None and (credential.expires_at is None or credential.expires_at > utcnow())
    stored = credential.secret_hash if credential is not None and alive else None
    user = credential.user if credential is not None else None
    proven = _check_secret(user, stored, body["secret"], account, address)
    return Proven(proven, ["application_credential"], application_credential=credential)


METHODS = {
    "password": _by_password,
    "token": _by_token,
    "application_credential": _by_application_credential,
}


def _domain_id(wish: dict[str, Any]) -> str | None:
    if "id" in wish:
        return Domain.objects.filter(id=wish["id"], enabled=True).values_list("id", flat=True).first()
    return Domain.objects.filter(name=wish.get("name", ""), enabled=True).values_list("id", flat=True).first()


def _project_id(wish: dict[str, Any]) -> str | None:
    projects = Project.objects.filter(enabled=True, domain__enabled=True).values_list("id", flat=True)
    if "id" in wish:
        return projects.filter(id=wish["id"]).first()
    domain = wish.get("domain", {})
    where = {"domain_id": domain["id"]} if "id" in domain else {"domain__name": domain.get("name", "")}
    return projects.filter(name=wish["name"], **where).first()


def _wanted_scope(wish: Any, proven: Proven) -> Scope:
    """The scope a body asks for. Raises Unauthorized for one that does not exist, as for one without rights."""
    credential = proven.application_credential
    if credential is not None:
        project_id = _project_id({"id": credential.project_id})
        if project_id is None or (isinstance(wish, dict) and "project" not in wish):
            raise Unauthorized
        if isinstance(wish, dict) and _project_id(wish["project"]) != project_id:
            raise Unauthorized
        return Scope(project_id=project_id)
    if isinstance(wish, dict) and "project" in wish:
        scope = Scope(project_id=_project_id(wish["project"]))
    elif isinstance(wish, dict) and "domain" in wish:
        scope = Scope(domain_id=_domain_id(wish["domain"]))
    elif isinstance(wish, dict) and "system" in wish:
        scope = Scope(system=bool(wish["system"].get("all")))
    else:
        return Scope()
    if scope.is_unscoped:
        raise Unauthorized
    return scope


def _default_scope(user: User) -> tuple[Scope, list[RoleRef]]:
    """Without a wish: the user's default project when it can be used, else none."""
    project_id = _project_id({"id": user.default_project_id}) if user.default_project_id else None
    scope = Scope(project_id=project_id)
    roles = effective_roles(user.id, scope) if project_id else []
    return (scope, roles) if roles else (Scope(), [])


def _scoped(proven: Proven, wish: Any) -> tuple[Scope, list[RoleRef]]:
    if wish is None and proven.application_credential is None and proven.parent is None:
        return _default_scope(proven.user)
    scope = _wanted_scope(wish, proven)
    if scope.is_unscoped:
        return scope, []
    only = None
    if proven.application_credential is not None:
        only = list(proven.application_credential.roles.values_list("id", flat=True))
    roles = effective_roles(proven.user.id, scope, only)
    if not roles:
        raise Unauthorized
    return scope, roles


def log_in(auth: dict[str, Any], address: str) -> tuple[str, Token]:
    """A whole login: ``auth`` is the (schema-checked) value of the request's ``auth`` key.

    Answers the token's secret and its row. Raises Unauthorized, ActionForbidden or TooManyLogins.
    """
    method = auth["identity"]["methods"][0]
    proven = METHODS[method](auth["identity"][method], address)
    scope, roles = _scoped(proven, auth.get("scope"))
    return issue(
        proven.user,
        scope,
        proven.methods,
        roles,
        parent=proven.parent,
        application_credential=proven.application_credential,
    )
