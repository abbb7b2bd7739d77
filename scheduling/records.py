"""Decisions as rows: written packed beside the claim, read back as what they were, made again in a replay."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from operations import sql
from scheduling import snapshots
from scheduling.configuration import UnknownRule, find_filter, find_weigher
from scheduling.decisions import Refusal, Scores, Verdict, decide
from scheduling.models import Decision, Snapshot
from scheduling.request import PlacementRequest
from scheduling.rules import Rules
from scheduling.snapshots import Snapshots
from scheduling.table import HostTable

ALTERNATES = 5


@dataclass(frozen=True, slots=True)
class Seen:
    """A verdict with what it was made on, taken while the table stood still: enough to store it later."""

    verdict: Verdict
    snapshot: str
    difference: bytes
    finalists: list[str]  # ids of the hosts in ``scores.rows``
    candidates: list[str]
    examples: list[list[str]]  # per refusal the ids of its examples


@dataclass(frozen=True, slots=True)
class Body:
    """What ``Decision.body`` holds. ``first_refusal``: an int8 per host, packed; ``difference``: see ``snapshots``."""

    request: PlacementRequest
    first_refusal: bytes
    difference: bytes
    filters: list[str]
    refusals: list[Refusal]
    scores: Scores
    finalists: list[str]
    candidates: list[str]
    examples: list[list[str]]
    alternates: list[str]
    notes: list[str]
    stages_us: dict[str, int] = field(default_factory=dict)

    def first_refusals(self) -> NDArray[np.int8]:
        """Per host, in the order of the table: the number of the filter that refused it first, or -1."""
        return np.frombuffer(zlib.decompress(self.first_refusal), dtype=np.int8)


_BODY = msgspec.msgpack.Decoder(Body)
_ENCODE = msgspec.msgpack.Encoder().encode


def see(verdict: Verdict, table: HostTable, kept: Snapshots) -> Seen:
    """Take down what the verdict was made on. While the table's lock is held, before anything is claimed on it."""
    snapshot, difference = kept.reference(table)
    kept.keep_rules(verdict.rules.key, verdict.rules.described)
    return Seen(
        verdict,
        snapshot,
        difference,
        [table.ids[row] for row in verdict.scores.rows],
        [table.ids[row] for row in verdict.candidates],
        [[table.ids[row] for row, _reason in refusal.examples] for refusal in verdict.refusals],
    )


def to_row(seen: Seen, chosen: tuple[str, str] | None, lost_races: int, fault: str, claim_us: int = 0) -> Decision:
    """The row to insert. ``chosen``: id and name of the host."""
    verdict = seen.verdict
    chosen_id, chosen_name = chosen or ("", "")
    body = Body(
        request=verdict.request,
        first_refusal=zlib.compress(verdict.first_refusal.tobytes(), 1),
        difference=seen.difference,
        filters=[rule.name for rule in verdict.rules.filters],
        refusals=verdict.refusals,
        scores=verdict.scores,
        finalists=seen.finalists,
        candidates=seen.candidates,
        examples=seen.examples,
        alternates=[host_id for host_id in seen.candidates if host_id != chosen_id][:ALTERNATES],
        notes=verdict.notes,
        stages_us={"filters": verdict.filtered_us, "weighers": verdict.weighed_us, "claim": claim_us},
    )
    return Decision(
        consumer_id=verdict.request.consumer_id,
        project_id=verdict.request.project_id,
        trigger=verdict.request.trigger,
        hosts_seen=verdict.hosts,
        chosen_host_id=chosen_id,
        chosen_host_name=chosen_name,
        blocked_by=verdict.blocked_by,
        lost_races=lost_races,
        fault=fault,
        took_us=verdict.took_us,
        seed=verdict.seed,
        rules=verdict.rules.key,
        snapshot=seen.snapshot,
        body=_ENCODE(body),
    )


def store(seen: Seen, chosen: tuple[str, str] | None, lost_races: int, fault: str, claim_us: int = 0) -> Decision:
    """Insert it, in the caller's transaction."""
    row = to_row(seen, chosen, lost_races, fault, claim_us)
    sql.insert(row)
    return row


def body_of(decision: Decision) -> Body:
    """All that the row's columns do not say."""
    return _BODY.decode(bytes(decision.body))


def table_of(decision: Decision) -> HostTable:
    """The table that the decision saw. Raises LookupError when its snapshot was purged."""
    return snapshots.restore(decision.snapshot, body_of(decision).difference)


def rules_of(decision: Decision) -> Rules:
    """The rules that it was made by. Raises LookupError when they were purged, or one of them is not installed."""
    return _rules(decision.rules)


@lru_cache(maxsize=64)
def _rules(key: str) -> Rules:
    """``key`` names rules by their content, so what was read once holds."""
    row = Snapshot.objects.filter(id=key, kind=Snapshot.Kind.RULES).first()
    if row is None:
        raise LookupError(f"rules {key} are gone")
    told = msgspec.msgpack.decode(bytes(row.data))
    try:
        filters = tuple(find_filter(path) for path in told["filters"])
        weighers = tuple((find_weigher(path), weight) for path, weight in told["weighers"])
    except UnknownRule as problem:
        raise LookupError(str(problem)) from None
    return Rules(filters, weighers, told["subset_size"])


def replay(decision: Decision, rules: Rules) -> Verdict:
    """Decide again on the same table. With the rules of then, the same verdict. Raises LookupError."""
    return decide(table_of(decision), body_of(decision).request, rules, decision.seed)


def last_alternates(consumer_id: str) -> tuple[str, ...]:
    """The hosts that the consumer's last decision kept for a failed build."""
    last: Any = Decision.objects.filter(consumer_id=consumer_id).order_by("-created_at").first()
    return tuple(body_of(last).alternates) if last else ()
