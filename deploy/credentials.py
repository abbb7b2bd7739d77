"""Random secrets of one cloud, made once, kept in `<state>/secrets.toml` (mode 0600). Nothing has a known default."""

from __future__ import annotations

import secrets
import tomllib
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from deploy.files import toml_text, write_private

FILE = "secrets.toml"


@dataclass(frozen=True)
class Secrets:
    """Every secret that `up` makes."""

    secret_key: str  # signs sessions, seals operation secrets
    broker_password: str
    admin_password: str  # user admin
    demo_password: str  # user demo


def ensure(state: Path) -> Secrets:
    """The cloud's secrets; those that are missing are made now. Existing ones never change."""
    path = state / FILE
    kept: dict[str, str] = tomllib.loads(path.read_text()) if path.exists() else {}
    fresh = {
        "secret_key": secrets.token_urlsafe(48),
        "broker_password": secrets.token_hex(24),
        "admin_password": secrets.token_urlsafe(15),
        "demo_password": secrets.token_urlsafe(15),
    }
    known = {field.name for field in fields(Secrets)}
    found = Secrets(**(fresh | {name: value for name, value in kept.items() if name in known}))
    write_private(path, toml_text(asdict(found)))
    return found


def load(state: Path) -> Secrets | None:
    """The cloud's secrets, or None before the first `up`."""
    return ensure(state) if (state / FILE).exists() else None
