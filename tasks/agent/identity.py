"""Who an agent is: one file per host it stands for, which only root reads. All share one credential."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec


class HostIdentity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """identity.toml: the UUID is the identity, the name a label; ``driver_options`` belong to the driver."""

    uuid: str
    name: str
    secret: str
    conductor_url: str
    driver: str = "fake"
    driver_options: dict[str, Any] = {}


class IdentityUnusable(Exception):
    """A file is missing, unreadable or says something else than an identity: the agent refuses to start (F33)."""


def load(paths: Sequence[str]) -> list[HostIdentity]:
    """Raises IdentityUnusable."""
    found = []
    for path in paths:
        try:
            found.append(msgspec.convert(tomllib.loads(Path(path).read_text()), HostIdentity))
        except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError) as problem:
            raise IdentityUnusable(f"{path}: {problem}") from problem
    if not found:
        raise IdentityUnusable("the setting identities names no file")
    if len({(one.secret, one.conductor_url) for one in found}) != 1:
        raise IdentityUnusable("the identities of one agent must share one credential and one conductor")
    return found
