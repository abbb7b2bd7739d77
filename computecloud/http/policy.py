"""The one policy table: rule name → who may. Deny by default; apps register their rules at start.

``docs/reference/policy.md`` is printed from it. Names are those of the OpenStack services.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from computecloud.core.actor import Actor
from computecloud.core.errors import Forbidden


class Allow(Enum):
    """Who a rule lets through. Roles are those of the token's scope, implied ones included."""

    PUBLIC = "anyone, without a token"
    ANYONE = "any valid token"
    READER = "role reader in the project"
    MEMBER = "role member in the project"
    MANAGER = "role manager in the project"
    ADMIN = "role admin"


PUBLIC, ANYONE, READER, MEMBER, MANAGER, ADMIN = Allow
_NEEDED = {READER: "reader", MEMBER: "member", MANAGER: "manager", ADMIN: "admin"}


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    allow: Allow
    description: str
    operations: tuple[tuple[str, str], ...] = ()


TABLE: dict[str, Rule] = {}


class UnknownRule(LookupError):
    """A route names a rule that nobody registered: a programming error."""


def register(rules: Iterable[Rule]) -> None:
    """Add rules; the same name twice with another meaning is a programming error."""
    for rule in rules:
        if TABLE.get(rule.name, rule) != rule:
            raise UnknownRule(f"two meanings for {rule.name}")
        TABLE[rule.name] = rule


def rule(name: str) -> Rule:
    try:
        return TABLE[name]
    except KeyError:
        raise UnknownRule(name) from None


def allows(actor: Actor | None, name: str, project_id: str | None = None) -> bool:
    """Whether the actor may. With ``project_id`` the thing must be of the actor's project, or the actor an admin."""
    allowed = rule(name).allow
    if allowed is PUBLIC:
        return True
    if actor is None:
        return False
    if allowed is ANYONE:
        return True
    if _NEEDED[allowed] not in actor.roles:
        return False
    return project_id is None or actor.is_admin or actor.project_id == project_id


def authorize(actor: Actor | None, name: str, project_id: str | None = None) -> None:
    """Raises Forbidden."""
    if not allows(actor, name, project_id):
        if name.startswith("identity:"):
            raise Forbidden(f"You are not authorized to perform the requested action: {name}.")
        raise Forbidden(f"Policy doesn't allow {name} to be performed.")
