"""The verdict on one request. Pure: the same table, request, rules and seed give the same verdict, also in a replay.

Filters × hosts is the explanation: each host keeps the number of the first filter that refused it.
"""

from __future__ import annotations

import math
import random
import time
from dataclasses import dataclass, field

import msgspec
import numpy as np
import structlog
from numpy.typing import NDArray

from scheduling.filters.base import HostFilter
from scheduling.request import PlacementRequest
from scheduling.rules import Rules
from scheduling.table import Bools, Floats, HostTable, Ints
from scheduling.weighers.base import HostWeigher

log = structlog.get_logger(__name__)
FINALISTS = 6
EXAMPLES = 3
MANY = 4096
ACCEPTED = -1


class Refusal(msgspec.Struct, frozen=True, array_like=True):
    """What one filter did: how many of the hosts that were left it refused, and for some of them why.

    ``examples``: (row, reason). ``took_us``: how long it thought.
    """

    filter: str
    refused: int
    left: int
    examples: list[tuple[int, str]]
    took_us: int


class Scores(msgspec.Struct, frozen=True, array_like=True):
    """What the weighers made of the finalists, best first: a list per weigher with a number per finalist.

    ``multipliers``: one for all, or one each where aggregates say another.
    """

    rows: list[int]
    totals: list[float]
    weighers: list[str]
    raw: list[list[float]]
    normalised: list[list[float]]
    multipliers: list[list[float]]

    @property
    def weighted(self) -> list[list[float]]:
        """What each weigher added to each finalist's total."""
        both = zip(self.normalised, self.multipliers, strict=True)
        each = ((column, factors * len(column) if len(factors) == 1 else factors) for column, factors in both)
        return [[number * factor for number, factor in zip(*pair, strict=True)] for pair in each]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the table says. ``candidates`` are rows, best first. ``first_refusal``: per host a filter's number, or -1.

    ``fault`` names the rule that refused the last host and the smallest change that it would accept;
    ``is_blocked_by_one``: that is enough, no other rule refuses that host.
    """

    request: PlacementRequest
    rules: Rules
    seed: int
    first_refusal: NDArray[np.int8]
    refusals: list[Refusal]
    scores: Scores
    candidates: list[int]
    fault: str
    blocked_by: str
    filtered_us: int
    weighed_us: int
    notes: list[str] = field(default_factory=list)
    is_blocked_by_one: bool = True

    @property
    def hosts(self) -> int:
        return len(self.first_refusal)

    @property
    def took_us(self) -> int:
        return self.filtered_us + self.weighed_us


NOBODY = Scores([], [], [], [], [], [])


def decide(table: HostTable, request: PlacementRequest, rules: Rules, seed: int = 0) -> Verdict:
    """Filter, weigh, order. Equal hosts come in an order drawn with ``seed``."""
    start = time.perf_counter_ns()
    notes: list[str] = []
    is_alone = True
    passed, first_refusal, refusals, blocker = _filter(table, request, rules, notes)
    fault = "" if len(table) else "no compute host is enrolled"
    if blocker is not None:
        considered, is_alone = _considered(table, request, rules, rules.filters.index(blocker), first_refusal)
        fault = f"{blocker.name}: {_shortfall(blocker, table, request, considered)}"
    filtered = time.perf_counter_ns()
    scores = _rank(table, request, passed, rules, seed, notes) if blocker is None and len(table) else NOBODY
    return Verdict(
        request=request,
        rules=rules,
        seed=seed,
        first_refusal=first_refusal,
        refusals=refusals,
        scores=scores,
        candidates=_ordered(table, request, passed, scores.rows, rules.subset_size, seed),
        fault=fault,
        blocked_by=blocker.name if blocker else "",
        filtered_us=(filtered - start) // 1000,
        weighed_us=(time.perf_counter_ns() - filtered) // 1000,
        notes=notes,
        is_blocked_by_one=is_alone,
    )


# --- filters


def _filter(
    table: HostTable, request: PlacementRequest, rules: Rules, notes: list[str]
) -> tuple[Bools, NDArray[np.int8], list[Refusal], HostFilter | None]:
    """Who passed all, who was refused by what, and the filter that left nobody."""
    passed: Bools = np.ones(len(table), dtype=bool)
    first_refusal = np.full(len(table), ACCEPTED, dtype=np.int8)
    refusals: list[Refusal] = []
    left = len(table)
    for number, rule in enumerate(rules.filters):
        if not left:
            break
        start = time.perf_counter_ns()
        answer = accepted_by(rule, table, request, notes)
        if answer is None:
            continue
        verdict = passed & answer if refusals else answer
        count = int(np.count_nonzero(verdict))
        if count == left:
            continue
        refused = passed ^ verdict
        first_refusal[refused] = number
        rows = refused.nonzero()[0][:EXAMPLES].tolist()
        examples = [(row, reason_of(rule, table, request, row)) for row in rows]
        took = (time.perf_counter_ns() - start) // 1000
        refusals.append(Refusal(rule.name, left - count, count, examples, took))
        passed, left = verdict, count
        if not left:
            return passed, first_refusal, refusals, rule
    return passed, first_refusal, refusals, None


def _considered(
    table: HostTable, request: PlacementRequest, rules: Rules, number: int, first_refusal: NDArray[np.int8]
) -> tuple[Bools, bool]:
    """Hosts to speak of when filter ``number`` left nobody: those that no later one refuses either, if there are any,
    so that what it says is missing would do; and whether there are."""
    asked: Bools = first_refusal == number
    alone = asked.copy()
    for rule in rules.filters[number + 1 :]:
        answer = accepted_by(rule, table, request, [])
        if answer is not None:
            alone &= answer
    return (alone, True) if alone.any() else (asked, False)


def passing(table: HostTable, request: PlacementRequest, rules: Rules) -> Bools:
    """Hosts that every filter accepts."""
    return _filter(table, request, rules, [])[0]


def acceptances(table: HostTable, request: PlacementRequest, rules: Rules) -> int:
    """How many fields of filters x hosts accept: a request that asks for less has more of them."""
    answers = (accepted_by(rule, table, request, []) for rule in rules.filters)
    return sum(len(table) if answer is None else int(np.count_nonzero(answer)) for answer in answers)


def accepted_by(rule: HostFilter, table: HostTable, request: PlacementRequest, notes: list[str]) -> Bools | None:
    """Its column, or None when it has nothing to say. A filter that raises is named and refuses nobody."""
    try:
        if not rule.applies(request):
            return None
        answer = np.asarray(rule.accepts(table, request))
        if answer.dtype != np.bool_ or answer.shape != (len(table),):
            raise TypeError(f"one bool per host is wanted, not {answer.dtype} {answer.shape}")
        return answer
    except Exception as problem:  # noqa: BLE001 -- a site's own code must not stop placement
        log.error("filter raised", filter=rule.name, error=repr(problem))
        notes.append(f"{rule.name} raised {type(problem).__name__} and was passed over")
        return None


def reason_of(rule: HostFilter, table: HostTable, request: PlacementRequest, row: int) -> str:
    """Why a filter refused a host, with the two numbers compared."""
    try:
        return rule.reason(table, request, row)
    except Exception as problem:  # noqa: BLE001 -- as above
        return f"refused, and raised {type(problem).__name__} when asked why"


def _shortfall(rule: HostFilter, table: HostTable, request: PlacementRequest, considered: Bools) -> str:
    try:
        return rule.shortfall(table, request, considered)
    except Exception as problem:  # noqa: BLE001 -- as above
        return f"refused all that were left, and raised {type(problem).__name__} when asked why"


# --- weighers


@dataclass(frozen=True, slots=True)
class _Spoken:
    """What one weigher gave the hosts that passed: normalised is (raw - least) / spread, or 0 where there is none."""

    name: str
    raw: Floats
    least: float
    spread: float
    factor: Floats | float


@dataclass(frozen=True, slots=True)
class _Weighed:
    """All hosts that passed (``rows``; None: the whole table), and what each weigher that spoke gave them."""

    rows: Ints | None
    total: Floats
    spoken: list[_Spoken]

    def rows_at(self, positions: Ints) -> list[int]:
        """Rows of the table, of positions among the hosts that passed."""
        found: list[int] = (positions if self.rows is None else self.rows[positions]).tolist()
        return found


def _rank(
    table: HostTable, request: PlacementRequest, passed: Bools, rules: Rules, seed: int, notes: list[str]
) -> Scores:
    """The best hosts by the sum of normalised numbers times weights; among equals a draw decides."""
    weighed = _weigh(table, request, passed, rules, notes)
    return _scores_of(weighed, _best(weighed.total, max(FINALISTS, rules.subset_size), seed))


def _scores_of(weighed: _Weighed, positions: Ints) -> Scores:
    raw = [one.raw[positions].tolist() for one in weighed.spoken]
    both = list(zip(weighed.spoken, raw, strict=True))
    return Scores(
        rows=weighed.rows_at(positions),
        totals=weighed.total[positions].tolist(),
        weighers=[one.name for one in weighed.spoken],
        raw=raw,
        normalised=[[(number - one.least) / (one.spread or 1.0) for number in column] for one, column in both],
        multipliers=[
            [one.factor] if isinstance(one.factor, float) else one.factor[positions].tolist() for one in weighed.spoken
        ],
    )


def _weigh(table: HostTable, request: PlacementRequest, passed: Bools, rules: Rules, notes: list[str]) -> _Weighed:
    rows = None if passed.all() else passed.nonzero()[0]
    size = len(table) if rows is None else len(rows)
    total: Floats = np.zeros(size, dtype=np.float64)
    part = np.empty(size, dtype=np.float64)  # one for all weighers: a hundred thousand hosts are pages of memory
    spoken: list[_Spoken] = []
    for weigher, weight in rules.weighers:
        found = _weighed_by(weigher, weight, table, request, notes)
        if found is None:
            continue
        raw, factor = found
        if rows is not None:
            raw = raw[rows]
            factor = factor if isinstance(factor, float) else factor[rows]
        least, most = float(raw[raw.argmin()]), float(raw[raw.argmax()])  # a third of the time of min() and max()
        if not (math.isfinite(least) and math.isfinite(most)):
            notes.append(f"{weigher.name} gave a number that is none and was passed over")
            continue
        one = _Spoken(weigher.name, raw, least, most - least, factor)
        if one.spread:
            np.subtract(raw, least, out=part)
            part *= factor / one.spread
            total += part
        spoken.append(one)
    return _Weighed(rows, total, spoken)


def equals(table: HostTable, request: PlacementRequest, rules: Rules) -> list[int]:
    """Rows among which a draw decides the first place: all with the highest total, or the best ``subset_size``."""
    passed = passing(table, request, rules)
    if not passed.any():
        return []
    weighed = _weigh(table, request, passed, rules, [])
    bar = np.sort(weighed.total)[-min(rules.subset_size, len(weighed.total))]
    return weighed.rows_at((weighed.total >= bar).nonzero()[0])


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one host stands among the ``of`` that passed. ``rank`` counts from 1; equals share it."""

    rank: int
    of: int
    best_total: float
    scores: Scores


def standing(table: HostTable, request: PlacementRequest, rules: Rules, row: int) -> Standing | None:
    """None when some filter refuses it."""
    passed = passing(table, request, rules)
    if not passed[row]:
        return None
    weighed = _weigh(table, request, passed, rules, [])
    position = row if weighed.rows is None else int(np.searchsorted(weighed.rows, row))
    better = int(np.count_nonzero(weighed.total > weighed.total[position]))
    scores = _scores_of(weighed, np.array([position]))
    return Standing(better + 1, len(weighed.total), float(weighed.total.max()), scores)


def _weighed_by(
    weigher: HostWeigher, weight: float, table: HostTable, request: PlacementRequest, notes: list[str]
) -> tuple[Floats, Floats | float] | None:
    """Its column and multiplier, or None when it has nothing to say. One that raises is named and weighs nothing."""
    try:
        multiplier = weigher.multiplier(table, weight)
        if isinstance(multiplier, float | int):
            multiplier = float(multiplier)
        if (isinstance(multiplier, float) and multiplier == 0) or not weigher.applies(table, request):
            return None
        column: Floats = np.asarray(weigher.weigh(table, request))
        if column.dtype not in (np.float64, np.int64):
            column = column.astype(np.float64)
        if column.shape != (len(table),):
            raise TypeError(f"one number per host is wanted, not {column.shape}")
        return column, multiplier
    except Exception as problem:  # noqa: BLE001 -- a site's own code must not stop placement
        log.error("weigher raised", weigher=weigher.name, error=repr(problem))
        notes.append(f"{weigher.name} raised {type(problem).__name__} and was passed over")
        return None


def _nth_highest(total: Floats, count: int) -> float:
    """The count-th highest total. Of many, those below the same of a sample need no sorting."""
    if len(total) > MANY:
        total = total[total >= _nth_highest(total[:: len(total) // MANY + 1], count)]
    return float(np.partition(total, len(total) - count)[len(total) - count])


def _best(total: Floats, most: int, seed: int) -> Ints:
    """Positions of the ``most`` highest totals, highest first; which of equals come in, and in what order, is drawn."""
    count = min(most, len(total))
    bar = _nth_highest(total, count)
    found: list[int] = (total > bar).nonzero()[0].tolist()
    level = (total == bar).nonzero()[0]
    draw = random.Random(seed)  # noqa: S311 -- for fairness, and to be drawn again in a replay
    found += level[draw.sample(range(len(level)), count - len(found))].tolist()
    order = sorted(
        (-value, draw.random(), position) for value, position in zip(total[found].tolist(), found, strict=True)
    )
    return np.array([position for _value, _lot, position in order], dtype=np.int64)


def _ordered(
    table: HostTable, request: PlacementRequest, passed: Bools, ranked: list[int], subset_size: int, seed: int
) -> list[int]:
    """The candidates: alternates of an earlier decision that pass again come first; then the draw among the best."""
    rows = list(ranked)
    if subset_size > 1 and len(rows) > 1:
        drawn = random.Random(seed ^ 0x5EED).randrange(min(subset_size, len(rows)))  # noqa: S311 -- as above
        rows.insert(0, rows.pop(drawn))
    if not request.alternates:
        return rows
    known = [table.row_of[host_id] for host_id in request.alternates if host_id in table.row_of]
    return list(dict.fromkeys([row for row in known if passed[row]] + rows))
