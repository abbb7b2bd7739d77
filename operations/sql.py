"""Hot guarded UPDATEs as plain SQL: the same statement on SQLite and PostgreSQL, a sixth of the ORM's cost.

Only for statements that every server passes several times (claims, quota gates); values are always parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection

NOW = {"sqlite": "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW')", "postgresql": "STATEMENT_TIMESTAMP()"}
"""The database's clock, as Django's ``Now()`` writes it."""


def update(statement: str, params: Sequence[Any]) -> int:
    """Run it and say how many rows it touched. ``{now}`` in the statement becomes the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute(statement.replace("{now}", NOW[connection.vendor]), params)
        return int(cursor.rowcount)
