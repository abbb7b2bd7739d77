"""Users: made, changed, ended."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import F

from computecloud.core.actor import Actor
from computecloud.core.errors import Unauthorized
from integrations.identity.actions.storing import own_properties, storing
from integrations.identity.authority import domain_for_new, found, not_above
from integrations.identity.errors import EntityNotFound, InvalidReference
from integrations.identity.login import check_password
from integrations.identity.models import DEFAULT_DOMAIN_ID, Domain, Token, User
from integrations.identity.passwords import hashed
from integrations.identity.tokens import forget_cached
from operations.models import Outbox

NOT_EXTRA = ("name", "email", "description", "enabled", "default_project_id", "options", "domain_id", "password", "id")
COLUMNS = ("name", "email", "description", "enabled", "default_project_id", "options")


def _columns(values: dict[str, Any]) -> dict[str, Any]:
    """Body fields as column values: texts are never null."""
    given = {name: values[name] for name in COLUMNS if name in values}
    return {name: "" if value is None and name in ("email", "description") else value for name, value in given.items()}


def _check_default_project(values: dict[str, Any]) -> None:
    project_id = values.get("default_project_id")
    if project_id and Domain.objects.filter(id=project_id).exists():
        raise InvalidReference(field="default_project_id", reason="a domain cannot be a default project")


def create(actor: Actor, values: dict[str, Any]) -> User:
    """A new user. Raises EntityNotFound (domain), Duplicate, ActionForbidden."""
    domain_id = domain_for_new(actor, values.get("domain_id"), "create_user", DEFAULT_DOMAIN_ID)
    found(Domain.objects.all(), "domain", domain_id)
    _check_default_project(values)
    password = values.get("password")
    stored = hashed(password) if password else "!"
    with storing("user", f"name {values['name']} at domain ID {domain_id}"):
        return User.objects.create(
            domain_id=domain_id, password=stored, extra=own_properties(values, NOT_EXTRA), **_columns(values)
        )


def update(actor: Actor, user: User, values: dict[str, Any]) -> User:
    """Change a user; a new password or disabling ends all tokens. Raises Duplicate, ActionForbidden, Invalid."""
    not_above(actor, user, "update_user")
    if values.get("id", user.id) != user.id:
        raise InvalidReference(field="id", reason="an id does not change")
    if values.get("domain_id", user.domain_id) != user.domain_id:
        raise InvalidReference(field="domain_id", reason="a user cannot move to another domain")
    _check_default_project(values)
    changes = _columns(values)
    changes["extra"] = own_properties(values, NOT_EXTRA, user.extra)
    was_enabled = user.enabled
    if "password" in values:
        changes["password"] = hashed(values["password"]) if values["password"] else "!"
        changes["password_version"] = F("password_version") + 1
    with storing("user", f"name {values.get('name')} at domain ID {user.domain_id}"):
        User.objects.filter(id=user.id).update(**changes)
        if "password" in changes or changes.get("enabled") is False:
            Token.objects.filter(user_id=user.id).delete()
        if was_enabled and changes.get("enabled") is False:
            Outbox.tell("user.disabled", user_id=user.id)
    user.refresh_from_db()
    return user


def change_password(user_id: str, original: str, new: str, address: str) -> None:
    """A new password, which needs the present one and nothing else. Raises Unauthorized, TooManyRequests."""
    user = check_password({"id": user_id, "password": original}, address)
    stored = hashed(new)
    with transaction.atomic():
        changed = User.objects.filter(id=user_id, password_version=user.password_version).update(
            password=stored, password_version=F("password_version") + 1
        )
        if not changed:
            raise Unauthorized
        Token.objects.filter(user_id=user_id).delete()
        forget_cached()


def delete(actor: Actor, user: User) -> None:
    """End a user with all tokens, grants and credentials. Raises ActionForbidden."""
    not_above(actor, user, "delete_user")
    with transaction.atomic():
        user_id = user.id
        deleted, _ = user.delete()
        if not deleted:
            raise EntityNotFound(kind="user", id=user_id)
        Outbox.tell("user.deleted", user_id=user_id)
        forget_cached()
