"""Hot guarded UPDATEs as plain SQL: the same statement on SQLite and PostgreSQL, a sixth of the ORM's cost.

Only for statements that every server passes several times (claims, quota gates); values are always parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from django.db import connection

NOW = {"sqlite": "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW')", "postgresql": "STATEMENT_TIMESTAMP()"}
"""The database's clock, as Django's ``Now()`` writes it."""
LATER = {
    "sqlite": "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW', %s)",
    "postgresql": "STATEMENT_TIMESTAMP() + CAST(%s AS interval)",
}


def seconds(number: float) -> str:
    """The parameter of ``{later}``."""
    return f"{number:+f} seconds"


@lru_cache(maxsize=64)
def _for(statement: str, vendor: str) -> str:
    return statement.replace("{now}", NOW[vendor]).replace("{later}", LATER[vendor])


def update(statement: str, params: Sequence[Any]) -> int:
    """Run it and say how many rows it touched.

    ``{now}`` becomes the database's clock, ``{later}`` that clock moved by its parameter (see ``seconds``).
    """
    with connection.cursor() as cursor:
        cursor.execute(_for(statement, connection.vendor), params)
        return int(cursor.rowcount)
