"""What the decision page of the model admin shows. Plain data: the page draws it without a script."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scheduling import configuration
from scheduling.explanation import Cell, Explanation, Finalist, HostOutcome
from scheduling.models import Decision
from scheduling.replay import replay

HOSTS_ON_PAGE = 40
COLOURS = (
    "oklch(58% .14 240)", "oklch(57% .13 160)", "oklch(59% .13 75)", "oklch(60% .17 25)", "oklch(60% .16 300)",
    "oklch(57% .11 200)", "oklch(57% .13 120)", "oklch(60% .15 340)",
)  # fmt: skip
"""Of the weighers in the bars of scores: a contrast of 3 or more to the track, in the light theme and in the dark."""


def context(decision: Decision, asked: Mapping[str, str]) -> dict[str, Any]:
    """The template's variables. ``asked``: ``page`` of the matrix, ``host`` for the question why not."""
    told = Explanation(decision, in_full=True)
    if not told.is_kept:
        return {"decision": decision, "is_kept": False}
    return {
        "decision": decision,
        "is_kept": True,
        "wish": told.request(),
        "stages": told.body.stages_us,
        "notes": told.body.notes,
        "alternates": told.alternates(),
        "funnel": _funnel(told),
        "weighers": [
            {"name": name, "colour": COLOURS[number % len(COLOURS)]}
            for number, name in enumerate(told.body.scores.weighers)
        ],
        "finalists": _bars(told.finalists()),
        "matrix": _matrix(told, asked.get("page", "")),
        "why": told.why_not(asked["host"]) if asked.get("host") else None,
        "asked_host": asked.get("host", ""),
        "again": _again(told),
    }


def _funnel(told: Explanation) -> list[dict[str, Any]]:
    """Each filter with the width (%) of those it left."""
    hosts = told.decision.hosts_seen or 1
    return [{"step": step, "width": round(100 * step.left / hosts, 1)} for step in told.funnel()]


def _bars(finalists: list[Finalist]) -> list[dict[str, Any]]:
    """Stacked scores: what each weigher added, in % of the longest bar. What it took away is told beside it."""
    longest = max((sum(max(score.weighted, 0.0) for score in one.scores) for one in finalists), default=0.0) or 1.0
    return [
        {
            "one": one,
            "parts": [
                {
                    "width": round(100 * max(score.weighted, 0.0) / longest, 2),
                    "colour": COLOURS[number % len(COLOURS)],
                    "score": score,
                }
                for number, score in enumerate(one.scores)
            ],
            "less": [score for score in one.scores if score.weighted < 0],
        }
        for one in finalists
    ]


def _matrix(told: Explanation, page: str) -> dict[str, Any]:
    """A page of hosts x filters: those that were refused last come first."""
    first = told.body.first_refusals()
    order = sorted(range(len(first)), key=lambda row: (first[row] >= 0, -int(first[row]), told.table.names[row]))
    pages = max(1, -(-len(order) // HOSTS_ON_PAGE))
    number = min(int(page), pages) if page.isascii() and page.isdigit() and len(page) < 7 and int(page) else 1
    shown = order[(number - 1) * HOSTS_ON_PAGE : number * HOSTS_ON_PAGE]
    return {
        "filters": [rule.name for rule in told.rules.filters],
        "rows": [_line(outcome, cells) for outcome, cells in told.matrix(shown)],
        "page": number,
        "pages": pages,
        "before": number - 1 if number > 1 else None,
        "after": number + 1 if number < pages else None,
    }


def _line(outcome: HostOutcome, cells: list[Cell]) -> dict[str, Any]:
    return {"host": outcome, "cells": cells, "reasons": [cell for cell in cells if cell.accepts is False]}


def _again(told: Explanation) -> dict[str, Any]:
    """The decision made again on its table under the rules in force now."""
    rules = configuration.in_force()
    outcome = replay([told.decision], rules)
    change = outcome.changes[0] if outcome.changes else None
    return {"is_same": change is None, "change": change, "is_same_rules": rules.key == told.decision.rules}
