"""Application credentials and opaque credentials. Each user may have so many of either, and no more (S39)."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from secrets import token_urlsafe
from typing import Any

from django.db import transaction

from computecloud.core.actor import Actor
from computecloud.core.clock import parse, utcnow
from computecloud.core.errors import Forbidden
from integrations.identity.actions.storing import storing
from integrations.identity.authority import found
from integrations.identity.errors import ActionForbidden, EntityNotFound, InvalidReference
from integrations.identity.grants import Scope, effective_roles
from integrations.identity.models import ApplicationCredential, Credential, Project, Role, Token, User
from integrations.identity.passwords import hashed
from integrations.identity.tokens import forget_cached
from operations.sealed import seal, unseal

MOST_PER_USER = 100


class TooManyCredentials(Forbidden):
    message = "The limit of {limit} {kind} per user is reached."


def unrestricted_only(actor: Actor, action: str) -> None:
    """A token from a restricted application credential makes and ends no credentials. Raises ActionForbidden."""
    restricted = Token.objects.filter(id=actor.token_id, application_credential__unrestricted=False)
    if restricted.exists():
        raise ActionForbidden(action=f"identity:{action}")


def _end(text: str | None) -> datetime | None:
    """Raises InvalidReference for what is no time or is past."""
    if text is None:
        return None
    try:
        moment = parse(text)
    except ValueError:
        raise InvalidReference(field="expires_at", reason="not an ISO 8601 time") from None
    if moment <= utcnow():
        raise InvalidReference(field="expires_at", reason="must be in the future")
    return moment


def _role_ids(actor: Actor, project_id: str, wishes: list[dict[str, str]] | None) -> list[str]:
    """The roles to carry: those asked for, which the user must hold, or all that the user holds there."""
    held = {role["id"]: role["name"] for role in effective_roles(actor.user_id, Scope(project_id=project_id))}
    limits = set(actor.roles)
    mine = {role_id: name for role_id, name in held.items() if name in limits}
    if not wishes:
        return sorted(mine)
    chosen: list[str] = []
    for wish in wishes:
        match = [key for key, name in mine.items() if key == wish.get("id") or name == wish.get("name")]
        if not match:
            raise EntityNotFound(kind="role assignment with role", id=wish.get("id") or wish.get("name", ""))
        chosen += match
    return chosen


def create_application_credential(
    actor: Actor, user_id: str, values: dict[str, Any]
) -> tuple[ApplicationCredential, str]:
    """A login for a program, and its secret, told once. Raises ActionForbidden, Duplicate, EntityNotFound, Invalid."""
    if user_id != actor.user_id or actor.project_id is None:
        raise ActionForbidden(action="identity:create_application_credential")
    unrestricted_only(actor, "create_application_credential")
    if values.get("access_rules"):
        raise InvalidReference(field="access_rules", reason="access rules are not offered by this cloud")
    if ApplicationCredential.objects.filter(user_id=user_id).count() >= MOST_PER_USER:
        raise TooManyCredentials(limit=MOST_PER_USER, kind="application credentials")
    roles = _role_ids(actor, actor.project_id, values.get("roles"))
    ends = _end(values.get("expires_at"))
    secret = values.get("secret") or token_urlsafe(64)
    secret_hash = hashed(secret)
    with storing("application_credential", f"name {values['name']}"):
        row = ApplicationCredential.objects.create(
            name=values["name"],
            user_id=user_id,
            project_id=actor.project_id,
            secret_hash=secret_hash,
            description=values.get("description") or "",
            unrestricted=values.get("unrestricted", False),
            expires_at=ends,
        )
        row.roles.set(Role.objects.filter(id__in=roles))
    return row, secret


def delete_application_credential(actor: Actor, row: ApplicationCredential) -> None:
    """Ends its tokens too. Raises ActionForbidden."""
    if row.user_id != actor.user_id and not actor.is_admin:
        raise ActionForbidden(action="identity:delete_application_credential")
    unrestricted_only(actor, "delete_application_credential")
    with transaction.atomic():
        row.delete()
        forget_cached()


def _blob_id(kind: str, blob: str) -> str | None:
    """EC2 credentials are found by the hash of their access key. Raises InvalidReference."""
    if kind != "ec2":
        return None
    try:
        access = json.loads(blob)["access"]
    except (ValueError, KeyError, TypeError):
        raise InvalidReference(field="blob", reason="an ec2 blob is JSON with access and secret") from None
    return hashlib.sha256(str(access).encode()).hexdigest()


def _owner(actor: Actor, values: dict[str, Any], action: str) -> None:
    """Who a credential may be written for: oneself, or anybody by an administrator. Raises ActionForbidden."""
    unrestricted_only(actor, action)
    if actor.is_admin:
        return
    own_project = values.get("project_id") in (None, actor.project_id)
    if values.get("user_id", actor.user_id) != actor.user_id or not own_project:
        raise ActionForbidden(action=f"identity:{action}")


def create_credential(actor: Actor, values: dict[str, Any]) -> Credential:
    """Raises EntityNotFound, Duplicate, ActionForbidden, Invalid."""
    _owner(actor, values, "create_credential")
    user_id, project_id = values.get("user_id", actor.user_id), values.get("project_id")
    found(User.objects.all(), "user", user_id)
    if project_id is not None:
        found(Project.objects.all(), "project", project_id)
    elif values["type"] == "ec2":
        raise InvalidReference(field="project_id", reason="an ec2 credential needs a project")
    if Credential.objects.filter(user_id=user_id).count() >= MOST_PER_USER:
        raise TooManyCredentials(limit=MOST_PER_USER, kind="credentials")
    fixed = _blob_id(values["type"], values["blob"])
    with storing("credential", f"id {fixed}"):
        row = Credential(type=values["type"], user_id=user_id, project_id=project_id)
        row.id = fixed or row.id
        row.blob_sealed = seal({"blob": values["blob"]})
        row.save(force_insert=True)
    return row


def update_credential(actor: Actor, row: Credential, values: dict[str, Any]) -> Credential:
    """Raises ActionForbidden; an owner cannot hand a credential to somebody else (S37)."""
    _owner(actor, values, "update_credential")
    if "user_id" in values:
        found(User.objects.all(), "user", values["user_id"])
        row.user_id = values["user_id"]
    if "project_id" in values:
        if values["project_id"] is not None:
            found(Project.objects.all(), "project", values["project_id"])
        row.project_id = values["project_id"]
    kind, blob = values.get("type", row.type), values.get("blob", blob_of(row))
    _blob_id(kind, blob)
    row.type = kind
    row.blob_sealed = seal({"blob": blob})
    row.save()
    return row


def blob_of(row: Credential) -> str:
    """The secret itself."""
    return str(unseal(row.blob_sealed).get("blob", ""))
