"""A transaction with a crash point on either side of its commit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from django.db import connection, transaction

from computecloud.core.failpoints import Point


class Committing:
    """``NAME.before_commit`` and ``NAME.after_commit``. Inside another transaction only that one's points count.

    ``flushes`` False: its commit does not wait for the disk. For what nobody outside of the database acts upon before a
    later commit that does wait: the databases write one log, so that one saves this one too (decision 0153).
    """

    def __init__(self, name: str, flushes: bool = True) -> None:
        self.before, self.after = Point(f"{name}.before_commit"), Point(f"{name}.after_commit")
        self.flushes = flushes

    @contextmanager
    def __call__(self, scope: str | None = "") -> Iterator[None]:
        """An atomic block. ``scope``: the host it is about. Committed, it passes its point before any bell rings."""
        if connection.in_atomic_block:
            with transaction.atomic():
                yield
            return
        with transaction.atomic() if self.flushes else unflushed():
            transaction.on_commit(partial(self.after, scope))
            yield
            self.before(scope)


@contextmanager
def unflushed() -> Iterator[None]:
    """An atomic block (or part of one around it) whose commit may be lost with the machine's power, never half of it.

    https://www.sqlite.org/pragma.html#pragma_synchronous (in WAL mode), PostgreSQL's "Asynchronous Commit".
    """
    if connection.in_atomic_block:
        with transaction.atomic():
            yield
        return
    if connection.vendor == "postgresql":
        with transaction.atomic():
            _say("SET LOCAL synchronous_commit TO OFF")
            yield
        return
    _say("PRAGMA synchronous=NORMAL")
    try:
        with transaction.atomic():
            yield
    finally:
        _say("PRAGMA synchronous=FULL")


def _say(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
