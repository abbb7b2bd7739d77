"""SQLite with a fair gate for writers.

SQLite's busy handler sleeps and retries; under load half of the API's time went there. A lock on a file beside the
database, taken before ``BEGIN IMMEDIATE`` and given back at commit, lets the kernel wake the next writer at once.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from django.db.backends.sqlite3 import base

WRITES = ("UPDATE", "INSERT", "DELETE")


class GatedCursor(base.SQLiteCursorWrapper):
    """A cursor whose single writing statements outside a transaction queue at the gate too.

    Without that they meet a transaction in SQLite, and one of the two sleeps in the busy handler, holding the gate.
    """

    gate_of: DatabaseWrapper

    def convert_query(self, query: str, *, param_names: list[str] | None = None) -> str:
        """As Django does it, once for each statement without named parameters."""
        return super().convert_query(query, param_names=param_names) if param_names is not None else _converted(query)

    def execute(self, query: str, params: Any = None) -> Any:
        if self.gate_of.in_atomic_block or not query.startswith(WRITES):
            return super().execute(query, params)
        with self.gate_of.gate():
            return super().execute(query, params)


@lru_cache(maxsize=512)
def _converted(query: str) -> str:
    """With SQLite's marks for parameters."""
    return base.FORMAT_QMARK_REGEX.sub("?", query).replace("%%", "%")


class DatabaseWrapper(base.DatabaseWrapper):
    """One connection; holds the gate from BEGIN to COMMIT or ROLLBACK."""

    _gate: int | None = None
    _held = False

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        name = str(self.settings_dict["NAME"])
        if self._gate is None and "memory" not in name:
            self._gate = os.open(name + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return connection

    def create_cursor(self, name: str | None = None) -> Any:
        cursor = self.connection.cursor(factory=GatedCursor)
        cursor.gate_of = self
        return cursor

    @contextmanager
    def gate(self) -> Iterator[None]:
        """Hold the gate for one statement."""
        self._acquire()
        try:
            yield
        finally:
            self._release()

    def _acquire(self) -> None:
        if self._gate is not None and not self._held:
            fcntl.flock(self._gate, fcntl.LOCK_EX)
            self._held = True

    def _start_transaction_under_autocommit(self) -> None:
        self._acquire()
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]  # unknown to the stubs, as below
        except BaseException:
            self._release()
            raise

    def _release(self) -> None:
        if self._held and self._gate is not None:
            self._held = False
            fcntl.flock(self._gate, fcntl.LOCK_UN)

    def _commit(self) -> None:
        try:
            super()._commit()  # type: ignore[misc]
        finally:
            self._release()

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]
        finally:
            self._release()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]
        finally:
            self._release()
            if self._gate is not None:
                os.close(self._gate)
                self._gate = None
