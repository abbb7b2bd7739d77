"""Stored decisions made again under other filters and weights: what would have changed.

Each is decided on the table it was made on, so one that changes does not change those after it. Nothing is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from scheduling import records, snapshots
from scheduling.decisions import decide
from scheduling.models import Decision
from scheduling.rules import Rules
from scheduling.table import HostTable

MOST_SHOWN = 100
MOST_TABLES = 8  # kept while neighbours in time refer to them


@dataclass(frozen=True, slots=True)
class Spread:
    """How the winners lie on the hosts: hosts with any, the most on one, and the standard deviation per host."""

    hosts_used: int
    most_on_one: int
    deviation: float


@dataclass(frozen=True, slots=True)
class Changed:
    """One decision that comes out otherwise. Null: no host."""

    decision_id: str
    consumer_id: str
    before: str | None
    after: str | None
    fault: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """``gained``: placed now, not then. ``lost``: the other way round. ``moved``: another winner. ``skipped``: their
    tables are not kept any more. ``changes``: the first hundred."""

    replayed: int
    same: int
    moved: int
    gained: int
    lost: int
    skipped: int
    spread_before: Spread
    spread_after: Spread
    blocked_by: dict[str, int]
    changes: list[Changed]


@dataclass(slots=True)
class _Count:
    same: int = 0
    moved: int = 0
    gained: int = 0
    lost: int = 0
    skipped: int = 0
    hosts: set[str] = field(default_factory=set)
    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    blocked_by: Counter[str] = field(default_factory=Counter)
    changes: list[Changed] = field(default_factory=list)


def replay(decisions: Iterable[Decision], rules: Rules) -> Outcome:
    """Make each again. The first choice is compared with the first choice of then: a host that was lost to a race was
    lost to others, not to the rules."""
    count, tables = _Count(), _Tables()
    for decision in decisions:
        body = records.body_of(decision)
        try:
            table = tables.of(decision, body)
            then = _first_choice(decision, body, table)
        except LookupError:
            count.skipped += 1
            continue
        verdict = decide(table, body.request, rules, decision.seed)
        now = table.ids[verdict.candidates[0]] if verdict.candidates else ""
        _compare(count, decision, table, then, now, verdict.fault)
        if verdict.blocked_by:
            count.blocked_by[verdict.blocked_by] += 1
    return Outcome(
        replayed=count.same + count.moved + count.gained + count.lost,
        same=count.same,
        moved=count.moved,
        gained=count.gained,
        lost=count.lost,
        skipped=count.skipped,
        spread_before=_spread(count.before, count.hosts),
        spread_after=_spread(count.after, count.hosts),
        blocked_by=dict(count.blocked_by),
        changes=count.changes,
    )


def _first_choice(decision: Decision, body: records.Body, table: HostTable) -> str:
    """The host that the rules of then put first; empty for none. Others may have been quicker there, or one of several
    that go together found none: then it was decided well and placed otherwise. Raises LookupError."""
    if decision.blocked_by or (decision.chosen_host_id and not decision.lost_races):
        return decision.chosen_host_id
    verdict = decide(table, body.request, records.rules_of(decision), decision.seed)
    return table.ids[verdict.candidates[0]] if verdict.candidates else ""


def _compare(count: _Count, decision: Decision, table: HostTable, then: str, now: str, fault: str) -> None:
    count.hosts.update(table.ids)
    for winners, host_id in ((count.before, then), (count.after, now)):
        if host_id:
            winners[host_id] += 1
    if then == now:
        count.same += 1
        return
    count.moved += bool(then and now)
    count.gained += bool(now and not then)
    count.lost += bool(then and not now)
    if len(count.changes) < MOST_SHOWN:
        names = [table.names[table.row_of[host_id]] if host_id else None for host_id in (then, now)]
        count.changes.append(Changed(decision.id, decision.consumer_id, names[0], names[1], fault or None))


def _spread(winners: Counter[str], hosts: set[str]) -> Spread:
    counts = np.array([winners[host_id] for host_id in hosts] or [0])
    return Spread(int(np.count_nonzero(counts)), int(counts.max()), round(float(counts.std()), 3))


class _Tables:
    """Tables of decisions; a snapshot that many refer to is unpacked once."""

    def __init__(self) -> None:
        self._kept: dict[str, HostTable] = {}

    def of(self, decision: Decision, body: records.Body) -> HostTable:
        """A table to read only. Raises LookupError."""
        if decision.snapshot not in self._kept:
            if len(self._kept) >= MOST_TABLES:
                self._kept.pop(next(iter(self._kept)))
            self._kept[decision.snapshot] = snapshots.base(decision.snapshot)
        return snapshots.with_difference(self._kept[decision.snapshot].twin(), body.difference)
