"""Claims are arithmetic: one conditional UPDATE per resource class, one row or the next candidate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from operations import sql


@dataclass(frozen=True, slots=True)
class Chosen:
    """The host that was claimed. Here, away from the table, so that hosts load no NumPy for its name."""

    id: str
    name: str
    zone: str


UNBOUNDED = 2**40
TAKE = """UPDATE hosts_inventory SET used = used + %s, consumers = consumers + 1, generation = generation + 1,
            change = {change}
          WHERE host_id = %s AND resource_class = %s AND used + %s <= capacity + %s"""
# The table may not know yet: who disables a host and then creates a server must not find it there.
OPEN = """SELECT 1 FROM hosts_host WHERE id = %s AND deleted_at IS NULL
          AND NOT is_disabled AND NOT is_draining AND NOT is_forced_down"""
TAKE_IF_OPEN = f"{TAKE} AND EXISTS ({OPEN})"
HOLD = """INSERT INTO hosts_allocation
          (consumer_id, consumer_kind, host_id, resource_class, amount, project_id, user_id, created_at) VALUES """
ROW = "(%s, 'instance', %s, %s, %s, %s, %s, {now})"
GIVE_BACK = """UPDATE hosts_inventory SET used = used - %s, consumers = consumers - 1, generation = generation + 1,
                 change = {change}
               WHERE host_id = %s AND resource_class = %s"""
# A claim or release that comes in between has changed the generation by the time this UPDATE gets the row.
RECOUNT = """UPDATE hosts_inventory SET generation = generation + 1, change = {change},
               used = (SELECT COALESCE(SUM(amount), 0) FROM hosts_allocation AS held
                       WHERE held.host_id = %s AND held.resource_class = %s),
               consumers = (SELECT COUNT(*) FROM hosts_allocation AS held
                            WHERE held.host_id = %s AND held.resource_class = %s)
             WHERE host_id = %s AND resource_class = %s AND generation = %s"""

LET_GO = "DELETE FROM hosts_allocation WHERE consumer_id = %s AND consumer_kind = %s"
RENAME = """UPDATE hosts_allocation SET consumer_id = %s, consumer_kind = %s
            WHERE consumer_id = %s AND consumer_kind = %s"""
ONLY = " AND host_id = %s AND resource_class = %s"
TELL = " RETURNING host_id, resource_class, amount"


@cache
def _hold(rows: int) -> str:
    """One INSERT for all classes of a claim."""
    return HOLD + ", ".join([ROW] * rows)


class ClaimLost(Exception):
    """Somebody else took the room. The caller's transaction must be rolled back."""


def claim(
    consumer_id: str,
    host_id: str,
    resources: Mapping[str, int],
    project_id: str = "",
    user_id: str = "",
    *,
    is_there: bool = False,
    only_open: bool = False,
) -> None:
    """Take the amounts on the host, in the caller's transaction. Raises ClaimLost.

    ``is_there``: the consumer uses them already (a guest found after a restore), whatever the capacity says.
    ``only_open``: the host must take new servers, asked in the statement that takes the first amount.
    """
    values: list[object] = []
    statements: list[sql.Statement] = []
    room = UNBOUNDED if is_there else 0
    for name in sorted(resources):
        amount = resources[name]
        given = (amount, host_id, name, amount, room)
        asked = only_open and not values
        statements.append((TAKE_IF_OPEN, (*given, host_id)) if asked else (TAKE, given))
        values += (consumer_id, host_id, name, amount, project_id, user_id)
    if values:
        taken = sql.each([*statements, (_hold(len(resources)), values)])
        if 0 in taken:
            raise ClaimLost(sorted(resources)[taken.index(0)])
    elif only_open and not sql.rows(OPEN, (host_id,)):
        raise ClaimLost(f"host {host_id}")


def release(consumer_id: str, consumer_kind: str = "instance", only: tuple[str, str] | None = None) -> int:
    """Give back all that a consumer holds. Idempotent: only a row that this call deletes is subtracted.

    ``only``: of that, one resource class on one host, ``(host_id, resource_class)``.
    """
    statement = f"{LET_GO}{ONLY if only else ''}{TELL}"
    freed = sorted(sql.rows(statement, (consumer_id, consumer_kind, *(only or ()))))  # one order for all who write
    return sum(sql.each([(GIVE_BACK, (amount, host_id, name)) for host_id, name, amount in freed]))


def rename(old: tuple[str, str], new: tuple[str, str]) -> int:
    """Let another consumer hold what one holds, ``(id, kind)`` each: a move keeps its server's old place by this."""
    return sql.update(RENAME, (*new, *old))


def recount(host_id: str, resource_class: str, generation: int) -> bool:
    """Set ``used`` to the sum of the allocations; False when somebody claimed or released since ``generation``."""
    return bool(sql.update(RECOUNT, (*(host_id, resource_class) * 3, generation)))
