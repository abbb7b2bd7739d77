"""A transaction with a crash point on either side of its commit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from django.db import connection, transaction

from computecloud.core.failpoints import Point


class Committing:
    """``NAME.before_commit`` and ``NAME.after_commit``. Inside another transaction only that one's points count."""

    def __init__(self, name: str) -> None:
        self.before, self.after = Point(f"{name}.before_commit"), Point(f"{name}.after_commit")

    @contextmanager
    def __call__(self, scope: str | None = "") -> Iterator[None]:
        """An atomic block. ``scope``: the host it is about. Committed, it passes its point before any bell rings."""
        is_inner = connection.in_atomic_block
        with transaction.atomic():
            if not is_inner:
                transaction.on_commit(partial(self.after, scope))
            yield
            if not is_inner:
                self.before(scope)
