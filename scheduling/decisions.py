"""The verdict on one request: filters × hosts is the explanation, and costs nothing extra."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import structlog

from operations import sql
from scheduling.filters.base import HostFilter
from scheduling.models import Decision
from scheduling.request import PlacementRequest
from scheduling.table import Bools, Floats, HostTable
from scheduling.weighers.base import HostWeigher, scored

log = structlog.get_logger(__name__)
FINALISTS_KEPT = 10
EXAMPLES_KEPT = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the table says. ``candidates`` are rows, best first; ``first_refusal``: a filter's number, or -1."""

    request: PlacementRequest
    candidates: list[int]
    first_refusal: Any
    refusals: list[dict[str, Any]]
    finalists: list[dict[str, Any]]
    fault: str
    took_us: int
    hosts: int
    notes: list[str] = field(default_factory=list)


def _safely(rule: HostFilter, table: HostTable, request: PlacementRequest, notes: list[str]) -> Bools:
    """A filter that raises is named in the decision and refuses nobody."""
    try:
        return rule.accepts(table, request)
    except Exception as problem:  # noqa: BLE001 -- a site's own code must not stop placement
        log.error("filter raised", filter=rule.name, error=repr(problem))
        notes.append(f"{rule.name} raised {type(problem).__name__} and was passed over")
        return np.ones(len(table), dtype=bool)


def decide(
    table: HostTable,
    request: PlacementRequest,
    filters: Sequence[HostFilter],
    weighers: Sequence[tuple[HostWeigher, float]],
    seed: int = 0,
) -> Verdict:
    """Filter, weigh, order. Ties are broken by a shuffle seeded with ``seed``, so a decision can be replayed."""
    start = time.perf_counter_ns()
    notes: list[str] = []
    passed: Bools = np.ones(len(table), dtype=bool)
    first_refusal = np.full(len(table), -1, dtype=np.int16)
    refusals: list[dict[str, Any]] = []
    fault = "" if len(table) else "no compute host is enrolled"
    for number, rule in enumerate(filters):
        if not rule.applies(request):
            continue
        verdict = _safely(rule, table, request, notes)
        refused = passed & ~verdict
        count = int(refused.sum())
        if count:
            first_refusal[refused] = number
            rows = np.flatnonzero(refused)[:EXAMPLES_KEPT]
            refusals.append(
                {
                    "filter": rule.name,
                    "refused": count,
                    "left": int(passed.sum()) - count,
                    "examples": [[table.ids[row], rule.reason(table, request, int(row))] for row in rows],
                }
            )
            if count == int(passed.sum()):
                fault = f"{rule.name}: {rule.shortfall(table, request, passed)}"
        passed = passed & verdict
        if not passed.any():
            break
    candidates, finalists = _rank(table, request, passed, weighers, seed, notes)
    took = (time.perf_counter_ns() - start) // 1000
    return Verdict(request, candidates, first_refusal, refusals, finalists, fault, int(took), len(table), notes)


def _rank(
    table: HostTable,
    request: PlacementRequest,
    passed: Bools,
    weighers: Sequence[tuple[HostWeigher, float]],
    seed: int,
    notes: list[str],
) -> tuple[list[int], list[dict[str, Any]]]:
    if not passed.any():
        return [], []
    total: Floats = np.zeros(len(table), dtype=np.float64)
    parts: dict[str, Floats] = {}
    for weigher, weight in weighers:
        try:
            weighted = scored(weigher, weight, table, request, passed)
        except Exception as problem:  # noqa: BLE001 -- a site's own code must not stop placement
            log.error("weigher raised", weigher=weigher.name, error=repr(problem))
            notes.append(f"{weigher.name} raised {type(problem).__name__} and was passed over")
            continue
        if weighted is None:
            continue
        parts[weigher.name] = weighted
        total += weighted
    rows = np.flatnonzero(passed)
    shuffle = np.random.default_rng(seed).random(len(rows))
    order = rows[np.lexsort((shuffle, -total[rows]))][:FINALISTS_KEPT]
    finalists = [
        {
            "host": table.ids[row],
            "score": round(float(total[row]), 6),
            "parts": {name: round(float(column[row]), 6) for name, column in parts.items()},
        }
        for row in order
    ]
    return [int(row) for row in order], finalists


def record(verdict: Verdict, table: HostTable, chosen: int | None, lost_races: int, fault: str) -> Decision:
    """Store it."""
    alternates = [table.ids[row] for row in verdict.candidates if row != chosen]
    decision = Decision(
        consumer_id=verdict.request.consumer_id,
        project_id=verdict.request.project_id,
        trigger=verdict.request.trigger,
        request={**verdict.request.summary(), "notes": verdict.notes},
        hosts_seen=verdict.hosts,
        refusals=verdict.refusals,
        finalists=verdict.finalists,
        chosen_host_id=table.ids[chosen] if chosen is not None else "",
        chosen_host_name=table.names[chosen] if chosen is not None else "",
        alternates=alternates[:5],
        lost_races=lost_races,
        fault=fault,
        took_us=verdict.took_us,
    )
    sql.insert(decision)
    return decision
