"""A running cloud's database, read from outside: SQLite's file or PostgreSQL, never through the product."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg


class Books:
    """Answers SELECTs; waits out a database that is down. Parameters are written ``?``."""

    def __init__(self, url: str, patience_s: float = 30.0) -> None:
        self.url = url
        self.patience_s = patience_s

    @property
    def is_sqlite(self) -> bool:
        return self.url.startswith("sqlite")

    def ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """All rows. Raises the driver's error when the database stays away."""
        until = time.monotonic() + self.patience_s
        while True:
            try:
                return self._ask(query, values)
            except (sqlite3.OperationalError, psycopg.OperationalError):
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)

    def try_ask(self, query: str, *values: Any) -> list[tuple[Any, ...]] | None:
        """All rows, or None when the database does not answer now."""
        try:
            return self._ask(query, values)
        except (sqlite3.OperationalError, psycopg.OperationalError):
            return None

    def _ask(self, query: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        if self.is_sqlite:
            connection = sqlite3.connect(f"file:{self.url.removeprefix('sqlite:///')}?mode=ro", uri=True, timeout=5)
            try:
                return connection.execute(query, values).fetchall()
            finally:
                connection.close()
        with psycopg.connect(self.url, connect_timeout=3) as line:
            return line.execute(query.replace("?", "%s").encode(), values).fetchall()

    def moment(self, value: Any) -> float:
        """A time column's value as seconds since 1970; 0 for none."""
        if value is None:
            return 0.0
        found = datetime.fromisoformat(value) if isinstance(value, str) else value
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()

    def open_operations(self) -> set[str]:
        return {row[0] for row in self.ask("SELECT id FROM operations_operation WHERE state IN ('pending', 'running')")}
