"""Tokens: made, looked up, ended. A token is 256 random bits; its SHA-256 is what is stored and compared."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from secrets import token_urlsafe
from typing import Any

from django.db import transaction

from computecloud.conf import conf
from computecloud.core.actor import Actor, expand_roles
from computecloud.core.clock import utcnow
from computecloud.core.errors import Unauthorized
from integrations.identity.grants import RoleRef, Scope, effective_roles
from integrations.identity.models import ApplicationCredential, Token, User

PREFIX = "cc_"
MOST_CACHED = 20_000
MOST_PER_USER = 5_000
"""Live tokens of one user; beyond it the oldest end. Looked at with every 64th login or so."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A token that was good when last read, with the names that clients are shown."""

    id: str
    chain_id: str
    user_id: str
    user_name: str
    user_domain_id: str
    user_domain_name: str
    project_id: str | None
    project_name: str | None
    project_domain_id: str | None
    project_domain_name: str | None
    domain_id: str | None
    domain_name: str | None
    system: bool
    application_credential_id: str | None
    methods: list[str]
    roles: list[RoleRef]
    issued_at: datetime
    expires_at: datetime

    @property
    def scope(self) -> Scope:
        return Scope(self.project_id, self.domain_id, self.system)

    @property
    def audit_ids(self) -> list[str]:
        return [self.id] if self.id == self.chain_id else [self.id, self.chain_id]

    def actor(self) -> Actor:
        """The caller as other services see it. Admin of a domain is not admin of the cloud: it arrives as manager."""
        names = expand_roles({role["name"] for role in self.roles})
        if self.domain_id:
            names -= {"admin"}
        return Actor(
            user_id=self.user_id,
            user_name=self.user_name,
            user_domain_id=self.user_domain_id,
            project_id=self.project_id,
            project_name=self.project_name,
            project_domain_id=self.project_domain_id,
            roles=names,
            domain_id=self.domain_id,
            system=self.system,
            token_id=self.id,
            expires_at=self.expires_at,
        )


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def new_audit_id() -> str:
    """22 URL-safe characters, Keystone's form."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()


def issue(
    user: User,
    scope: Scope,
    methods: list[str],
    roles: list[RoleRef],
    *,
    parent: Checked | None = None,
    application_credential: ApplicationCredential | None = None,
) -> tuple[str, Token]:
    """Make a token and return its secret, which is told once, with its row.

    A token made from a token (``parent``) ends no later than the first of the chain. The versions written are those of
    ``user`` as it was read with its password, so that a change of either while we hash ends the new token at once.
    """
    secret = PREFIX + token_urlsafe(32)
    now = utcnow()
    ends = [now + timedelta(seconds=conf().token_ttl_s)]
    if parent is not None:
        ends.append(parent.expires_at)
    if application_credential is not None and application_credential.expires_at is not None:
        ends.append(application_credential.expires_at)
    audit_id = new_audit_id()
    row = Token.objects.create(
        id=audit_id,
        chain_id=parent.chain_id if parent else audit_id,
        digest=digest_of(secret),
        user=user,
        project_id=scope.project_id,
        domain_id=scope.domain_id,
        system=scope.system,
        application_credential=application_credential,
        methods=methods,
        roles=roles,
        grants_version=user.grants_version,
        password_version=user.password_version,
        issued_at=now,
        expires_at=min(ends),
    )
    if int(row.digest[:2], 16) < 4:
        _trim(user.id)
    return secret, row


def _trim(user_id: str) -> None:
    """End a user's oldest tokens beyond MOST_PER_USER, so that logging in for ever fills no table (S39)."""
    newest_first = Token.objects.filter(user_id=user_id).order_by("-issued_at").values_list("issued_at", flat=True)
    surplus = list(newest_first[MOST_PER_USER : MOST_PER_USER + 1])
    if surplus:
        Token.objects.filter(user_id=user_id, issued_at__lte=surplus[0]).delete()


_COLUMNS = (
    "id", "chain_id", "user_id", "user__name", "user__domain_id", "user__domain__name",
    "project_id", "project__name", "project__domain_id", "project__domain__name", "domain_id", "domain__name",
    "system", "application_credential_id", "methods", "roles", "issued_at", "expires_at",
    "grants_version", "password_version", "user__grants_version", "user__password_version",
    "user__enabled", "user__domain__enabled", "project__enabled", "project__domain__enabled", "domain__enabled",
    "application_credential__expires_at",
)  # fmt: skip
_SHOWN = 18


@lru_cache(maxsize=1)
def _joined() -> Any:
    """The one query of a look-up, its joins worked out once."""
    return Token.objects.order_by().values_list(*_COLUMNS)


def look_up(secret: str) -> Checked:
    """Read a token and everything that could have ended it, in one query. Raises Unauthorized."""
    rows = list(_joined().filter(digest=digest_of(secret)))
    if not rows:
        raise Unauthorized
    row = rows[0]
    shown, judged = row[:_SHOWN], dict(zip(_COLUMNS[_SHOWN:], row[_SHOWN:], strict=True))
    token = Checked(*shown)
    if not _still_good(token, judged):
        raise Unauthorized
    if judged["grants_version"] != judged["user__grants_version"]:
        token = _with_fresh_roles(token, judged["user__grants_version"])
    return token


def _still_good(token: Checked, judged: dict[str, Any]) -> bool:
    now = utcnow()
    credential_ends = judged["application_credential__expires_at"]
    return (
        token.expires_at > now
        and judged["password_version"] == judged["user__password_version"]
        and judged["user__enabled"]
        and judged["user__domain__enabled"]
        and (token.project_id is None or (judged["project__enabled"] and judged["project__domain__enabled"]))
        and (token.domain_id is None or judged["domain__enabled"])
        and (credential_ends is None or credential_ends > now)
    )


def _with_fresh_roles(token: Checked, version: int) -> Checked:
    """Roles changed since: work them out again, or end the token when none is left. Raises Unauthorized."""
    only = None
    if token.application_credential_id:
        only = ApplicationCredential.roles.through.objects.filter(
            applicationcredential_id=token.application_credential_id
        ).values_list("role_id", flat=True)
    roles = effective_roles(token.user_id, token.scope, only)
    if not roles and not token.scope.is_unscoped:
        Token.objects.filter(id=token.id).delete()
        raise Unauthorized
    Token.objects.filter(id=token.id).update(roles=roles, grants_version=version)
    values = {name: getattr(token, name) for name in Checked.__slots__}
    return Checked(**{**values, "roles": roles})


class Cache:
    """Actors by token digest, each for a few seconds: a revoked token lives no longer than that in any process."""

    def __init__(self) -> None:
        self._found: OrderedDict[str, tuple[float, Actor]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, digest: str) -> Actor | None:
        hit = self._found.get(digest)
        return hit[1] if hit is not None and hit[0] > time.monotonic() else None

    def put(self, digest: str, actor: Actor) -> None:
        life = min(conf().token_cache_s, 5.0)
        if actor.expires_at is not None:
            life = min(life, (actor.expires_at - utcnow()).total_seconds())
        with self._lock:
            self._found[digest] = (time.monotonic() + life, actor)
            if len(self._found) > MOST_CACHED:
                self._found.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._found.clear()


CACHE = Cache()


def actor_for(secret: str) -> Actor:
    """The caller behind a token, from memory when it was read within the last seconds. Raises Unauthorized."""
    digest = digest_of(secret)
    actor = CACHE.get(digest)
    if actor is None:
        actor = look_up(secret).actor()
        CACHE.put(digest, actor)
    return actor


def forget_cached() -> None:
    """After a change to people, projects or roles: this process at once, others within the cache's life."""
    transaction.on_commit(CACHE.clear)


def revoke(token_id: str) -> None:
    """End one token."""
    Token.objects.filter(id=token_id).delete()
    forget_cached()


def revoke_all(user_id: str) -> None:
    """End all tokens of a user."""
    Token.objects.filter(user_id=user_id).delete()
    forget_cached()


def purge_expired() -> int:
    """Delete tokens past their end; returns how many. Called by beat."""
    deleted, _ = Token.objects.filter(expires_at__lt=utcnow()).delete()
    return deleted
