"""Who asks: the person or program behind a request, as its token says."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

IMPLIED = {"admin": {"manager", "member", "reader"}, "manager": {"member", "reader"}, "member": {"reader"}}


def expand_roles(names: set[str] | frozenset[str]) -> frozenset[str]:
    """Add what each role implies: admin → manager → member → reader."""
    return frozenset(names).union(*(IMPLIED.get(name, set()) for name in names))


@dataclass(frozen=True, slots=True)
class Actor:
    """One authenticated caller. ``roles`` is already expanded; ids are opaque strings."""

    user_id: str
    user_name: str = ""
    user_domain_id: str = "default"
    project_id: str | None = None
    project_name: str | None = None
    project_domain_id: str | None = None
    roles: frozenset[str] = field(default_factory=frozenset)
    domain_id: str | None = None
    system: bool = False
    token_id: str = ""
    expires_at: datetime | None = None
    request_id: str = ""

    @property
    def is_admin(self) -> bool:
        return "admin" in self.roles


SYSTEM = Actor(
    user_id="system", user_name="system", roles=frozenset({"admin", "manager", "member", "reader"}), system=True
)
"""The cloud itself, for work that no person asked for."""
