"""A stored decision told: who was refused by what and with which numbers, who won, and why not another host."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from scheduling import records
from scheduling.decisions import ACCEPTED, Refusal, Scores, Standing, Verdict, accepted_by, reason_of, standing
from scheduling.filters.base import HostFilter
from scheduling.host_names import HostNames
from scheduling.models import Decision
from scheduling.request import PlacementRequest
from scheduling.rules import Rules
from scheduling.table import HostTable

REFUSED, ACCEPTED_BY_ALL, CHOSEN = "refused", "accepted", "chosen"


@dataclass(frozen=True, slots=True)
class Example:
    host: str
    reason: str


@dataclass(frozen=True, slots=True)
class FunnelStep:
    """One filter in the funnel: hosts ``asked``, ``refused`` and ``left``. µs only where it refused somebody."""

    filter: str
    asked: int
    refused: int
    left: int
    took_us: int | None
    examples: list[Example]


@dataclass(frozen=True, slots=True)
class Score:
    weigher: str
    raw: float
    normalised: float
    weighted: float


@dataclass(frozen=True, slots=True)
class Finalist:
    """One of the best hosts. ``scores`` add up to ``total``."""

    host: str
    rank: int
    total: float
    is_chosen: bool
    is_alternate: bool
    scores: list[Score]


@dataclass(frozen=True, slots=True)
class HostOutcome:
    """What became of one host: ``refused`` by ``filter``, ``accepted`` by all, or ``chosen``."""

    host: str
    zone: str
    outcome: str
    filter: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Cell:
    """One filter's verdict on one host. ``accepts`` null: the request gave it nothing to look at."""

    filter: str
    accepts: bool | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class WhyNot:
    """Every filter's verdict on one host, not only the first refusal, and where it stood among those that passed."""

    host: str
    zone: str
    outcome: str
    sentence: str
    verdicts: list[Cell]
    rank: int | None
    of: int | None
    total: float | None
    best_total: float | None
    scores: list[Score]


class Explanation:
    """One decision, for somebody who may (``in_full``) or may not know hosts by their names.

    Whatever speaks of hosts raises LookupError when what the decision saw was purged.
    """

    def __init__(self, decision: Decision, *, in_full: bool) -> None:
        self.decision = decision
        self.in_full = in_full

    @cached_property
    def body(self) -> records.Body:
        return records.body_of(self.decision)

    @cached_property
    def table(self) -> HostTable:
        return records.table_of(self.decision)

    @cached_property
    def rules(self) -> Rules:
        return records.rules_of(self.decision)

    @cached_property
    def is_kept(self) -> bool:
        """Whether the table and the rules that it names can still be read."""
        try:
            return self.table is not None and self.rules is not None
        except (LookupError, msgspec.DecodeError):
            return False

    @cached_property
    def filters(self) -> list[str]:
        return records.filters_of(self.decision)

    @cached_property
    def names(self) -> HostNames:
        return HostNames(self.decision.id, self.table.ids, self.table.names, in_full=self.in_full)

    # --- the parts

    def funnel(self) -> list[FunnelStep]:
        """The filters in their order, until nobody was left."""
        return _funnel(self.filters, self.body.refusals, self.table.ids, self.decision.hosts_seen, self.names)

    def finalists(self) -> list[Finalist]:
        chosen, alternates, scores = self.decision.chosen_host_id, set(self.body.alternates), self.body.scores
        return [
            Finalist(
                host=self.names.of(host_id),
                rank=place + 1,
                total=scores.totals[place],
                is_chosen=host_id == chosen,
                is_alternate=host_id in alternates and bool(chosen),
                scores=_scores(scores, place),
            )
            for place, host_id in enumerate(self.body.finalists)
        ]

    def chosen(self) -> str | None:
        return self.names.of(self.decision.chosen_host_id) if self.decision.chosen_host_id else None

    def alternates(self) -> list[str]:
        """Where the server goes when its build fails, in this order."""
        return [self.names.of(one) for one in self.body.alternates] if self.decision.chosen_host_id else []

    def request(self) -> dict[str, Any]:
        """What was asked for. A host's name only for those who may know it."""
        asked = self.body.request
        group = asked.group and {
            "id": asked.group.id,
            "policy": asked.group.policy,
            "max_per_host": asked.group.max_per_host,
            "members": {self.names.of(host): count for host, count in sorted(asked.group.members.items())},
        }
        return {
            "resources": dict(asked.resources),
            "availability_zone": asked.availability_zone,
            "forced_host": asked.forced_host if self.in_full else None,
            "excluded_hosts": sorted(self.names.of(host) for host in asked.excluded_host_ids),
            "flavor_name": asked.flavor_name,
            "image_id": asked.image_id,
            "image_properties": dict(asked.image_properties),
            "extra_specs": dict(asked.extra_specs),
            "hints": dict(asked.hints),
            "group": group,
            "required_traits": sorted(asked.required_traits),
            "forbidden_traits": sorted(asked.forbidden_traits),
        }

    # --- hosts

    def outcomes(self) -> Iterator[HostOutcome]:
        """Every host, in the order of what it is called here."""
        first = self.body.first_refusals()
        for row in self._by_name:
            yield self.outcome(row, int(first[row]))

    @cached_property
    def _by_name(self) -> list[int]:
        shown = [self.names.of(host_id) for host_id in self.table.ids]
        return sorted(range(len(shown)), key=lambda row: _natural(shown[row]))

    def outcome(self, row: int, refused_by: int) -> HostOutcome:
        host_id, zone = self.table.ids[row], self.table.zones[row]
        if refused_by == ACCEPTED:
            outcome = CHOSEN if host_id == self.decision.chosen_host_id else ACCEPTED_BY_ALL
            return HostOutcome(self.names.of(host_id), zone, outcome, None, None)
        reason = self.names.told(reason_of(self.rules.filters[refused_by], self.table, self.body.request, row))
        return HostOutcome(self.names.of(host_id), zone, REFUSED, self.filters[refused_by], reason)

    def why_not(self, name: str) -> WhyNot | None:
        """About the host that is called so here; None when the decision knew no such host."""
        host_id = self.names.find(name)
        if host_id is None or host_id not in self.table.row_of:
            return None
        row = self.table.row_of[host_id]
        is_chosen = host_id == self.decision.chosen_host_id
        return why_not(self.table, self.body.request, self.rules, row, self.names, is_chosen=is_chosen)

    def matrix(self, rows: Sequence[int]) -> list[tuple[HostOutcome, list[Cell]]]:
        """Filters x hosts, for some of the hosts."""
        first = self.body.first_refusals()
        cells = cells_of(self.table, self.body.request, self.rules.filters, rows, self.names)
        return [(self.outcome(row, int(first[row])), own) for row, own in zip(rows, cells, strict=True)]


def funnel_of(verdict: Verdict, ids: Sequence[str], names: HostNames) -> list[FunnelStep]:
    """The funnel of a verdict that was not stored."""
    return _funnel([rule.name for rule in verdict.rules.filters], verdict.refusals, ids, verdict.hosts, names)


def _funnel(
    filters: Sequence[str], refusals: Sequence[Refusal], ids: Sequence[str], left: int, names: HostNames
) -> list[FunnelStep]:
    by_filter = {one.filter: one for one in refusals}
    found = []
    for name in filters:
        if not left:
            break
        refusal = by_filter.get(name)
        if refusal is None:
            found.append(FunnelStep(name, left, 0, left, None, []))
            continue
        examples = [Example(names.of(ids[row]), names.told(reason)) for row, reason in refusal.examples]
        found.append(FunnelStep(name, left, refusal.refused, refusal.left, refusal.took_us, examples))
        left = refusal.left
    return found


def why_not(
    table: HostTable, request: PlacementRequest, rules: Rules, row: int, names: HostNames, *, is_chosen: bool = False
) -> WhyNot:
    """One host of any table under any rules."""
    [cells] = cells_of(table, request, rules.filters, [row], names)
    refusing = [cell for cell in cells if cell.accepts is False]
    place = standing(table, request, rules, row)
    outcome = REFUSED if place is None else CHOSEN if is_chosen else ACCEPTED_BY_ALL
    return WhyNot(
        host=names.of(table.ids[row]),
        zone=table.zones[row],
        outcome=outcome,
        sentence=_sentence(refusing, place, is_chosen=is_chosen),
        verdicts=cells,
        rank=place.rank if place else None,
        of=place.of if place else None,
        total=place.scores.totals[0] if place else None,
        best_total=place.best_total if place else None,
        scores=_scores(place.scores, 0) if place else [],
    )


def cells_of(
    table: HostTable, request: PlacementRequest, filters: Sequence[HostFilter], rows: Sequence[int], names: HostNames
) -> list[list[Cell]]:
    """For each of the rows what every filter says of it, those after the first refusal too."""
    found: list[list[Cell]] = [[] for _ in rows]
    for rule in filters:
        notes: list[str] = []
        column = accepted_by(rule, table, request, notes)
        for cells, row in zip(found, rows, strict=True):
            if column is None:
                cells.append(Cell(rule.name, None, notes[0] if notes else None))
            elif column[row]:
                cells.append(Cell(rule.name, True, None))
            else:
                cells.append(Cell(rule.name, False, names.told(reason_of(rule, table, request, row))))
    return found


def _sentence(refusing: Sequence[Cell], place: Standing | None, *, is_chosen: bool) -> str:
    if refusing or place is None:
        return "Refused. " + "; ".join(f"{cell.filter}: {cell.reason}" for cell in refusing) + "."
    where = f"place {place.rank} of {place.of}"
    if is_chosen:
        return f"Chosen: every filter accepts it, and the weighers give it {where}."
    totals = f"{place.scores.totals[0]:.3f} where the best has {place.best_total:.3f}"
    return f"Every filter accepts it; the weighers give it {where}: {totals}."


def _scores(scores: Scores, place: int) -> list[Score]:
    columns = zip(scores.weighers, scores.raw, scores.normalised, scores.weighted, strict=True)
    return [Score(name, raw[place], normal[place], part[place]) for name, raw, normal, part in columns]


def _natural(text: str) -> tuple[str, int, str]:
    """host-2 before host-10."""
    stem = text.rstrip("0123456789")
    return stem, int(text[len(stem) :] or 0), text
