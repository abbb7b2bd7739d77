"""SQLite with a fair gate for writers.

SQLite's busy handler sleeps and retries; under load half of the API's time went there. A lock on a file beside the
database, taken before ``BEGIN IMMEDIATE`` and given back at commit, lets the kernel wake the next writer at once.
"""

from __future__ import annotations

import fcntl
import os
from typing import Any

from django.db.backends.sqlite3 import base


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

    def _start_transaction_under_autocommit(self) -> None:
        if self._gate is not None and not self._held:
            fcntl.flock(self._gate, fcntl.LOCK_EX)
            self._held = True
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
