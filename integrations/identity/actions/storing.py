"""One way to write what must be unique: the database decides, the client is told in Keystone's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import IntegrityError, transaction

from integrations.identity.errors import Duplicate
from integrations.identity.tokens import forget_cached


def own_properties(
    values: dict[str, Any], known: tuple[str, ...], before: dict[str, Any] | None = None
) -> dict[str, Any]:
    """What a client added of its own: kept and shown, never read. ``None`` takes a property away."""
    given = {name: value for name, value in values.items() if name not in known}
    return {name: value for name, value in {**(before or {}), **given}.items() if value is not None}


@contextmanager
def storing(kind: str, fact: str) -> Iterator[None]:
    """A transaction whose broken uniqueness becomes a 409; cached actors are dropped when it commits."""
    try:
        with transaction.atomic():
            yield
            forget_cached()
    except IntegrityError as problem:
        raise Duplicate(kind=kind, fact=fact) from problem
