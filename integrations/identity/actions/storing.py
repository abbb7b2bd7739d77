"""One way to write what must be unique: the database decides, the client is told in Keystone's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import IntegrityError, transaction

from integrations.identity.errors import Duplicate
from integrations.identity.tokens import forget_cached


@contextmanager
def storing(kind: str, fact: str) -> Iterator[None]:
    """A transaction whose broken uniqueness becomes a 409; cached actors are dropped when it commits."""
    try:
        with transaction.atomic():
            yield
            forget_cached()
    except IntegrityError as problem:
        raise Duplicate(kind=kind, fact=fact) from problem
