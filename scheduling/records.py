"""Decisions as rows: written packed beside the claim, read back as what they were, made again in a replay."""

from __future__ import annotations

import zlib
from dataclasses import MISSING, dataclass, fields
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from computecloud.core.ids import new_ordered_uuid
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
    """A verdict with what it was made on, taken while the table stood still: enough to store it later.

    ``finalists`` and ``candidates`` are hosts' ids.
    """

    verdict: Verdict
    snapshot: str
    difference: bytes
    finalists: list[str]
    candidates: list[str]


class Body(msgspec.Struct, frozen=True, array_like=True):
    """What ``Decision.body`` holds. ``first_refusal``: an int8 per host, packed; ``difference``: see ``snapshots``.

    ``finalists``: ids of the hosts in ``scores.rows``; ``alternates``: the hosts to try when a build fails.
    """

    request: PlacementRequest
    first_refusal: bytes
    difference: bytes
    refusals: list[Refusal]
    scores: Scores
    finalists: list[str]
    alternates: list[str]
    notes: list[str]
    filters_us: int
    weighers_us: int
    claim_us: int

    @property
    def stages_us(self) -> dict[str, int]:
        """Time per stage (µs)."""
        return {"filters": self.filters_us, "weighers": self.weighers_us, "claim": self.claim_us}

    def first_refusals(self) -> NDArray[np.int8]:
        """Per host, in the order of the table: the number of the filter that refused it first, or -1."""
        return np.frombuffer(zlib.decompress(self.first_refusal), dtype=np.int8)


_BODY = msgspec.msgpack.Decoder(Body)
_RULES = msgspec.msgpack.Decoder(dict[str, Any])
_encode = msgspec.msgpack.Encoder().encode
_DEFAULTS = {
    one.name: one.default_factory() if one.default_factory is not MISSING else one.default
    for one in fields(PlacementRequest)
}
INSERT = """INSERT INTO scheduling_decision (id, consumer_id, project_id, "trigger", hosts_seen, chosen_host_id,
              chosen_host_name, blocked_by, lost_races, fault, took_us, seed, rules, snapshot, body, created_at)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, {now})"""


def see(verdict: Verdict, table: HostTable, kept: Snapshots) -> Seen:
    """Take down what the verdict was made on. While the table's lock is held, before anything is claimed on it."""
    snapshot, difference = kept.reference(table)
    kept.keep_rules(verdict.rules.key, verdict.rules.described)
    ids = table.ids
    return Seen(
        verdict,
        snapshot,
        difference,
        [ids[row] for row in verdict.scores.rows],
        [ids[row] for row in verdict.candidates],
    )


def store(seen: Seen, chosen: tuple[str, str] | None, lost_races: int, fault: str, claim_us: int = 0) -> None:
    """Insert it, in the caller's transaction, by one plain statement. ``chosen``: id and name of the host."""
    verdict, request = seen.verdict, seen.verdict.request
    chosen_id, chosen_name = chosen or ("", "")
    body = (
        {name: value for name, default in _DEFAULTS.items() if (value := getattr(request, name)) != default},
        _squeezed(verdict.first_refusal.tobytes()),
        seen.difference,
        verdict.refusals,
        verdict.scores,
        seen.finalists,
        [host_id for host_id in seen.candidates if host_id != chosen_id][:ALTERNATES],
        verdict.notes,
        verdict.filtered_us,
        verdict.weighed_us,
        claim_us,
    )
    sql.update(
        INSERT,
        (
            new_ordered_uuid(), request.consumer_id, request.project_id, request.trigger, verdict.hosts,
            chosen_id, chosen_name, verdict.blocked_by, lost_races, fault, verdict.took_us, verdict.seed,
            verdict.rules.key, seen.snapshot, _encode(body),
        ),
    )  # fmt: skip


@lru_cache(maxsize=4)
def _squeezed(column: bytes) -> bytes:
    """Packed, once for decisions in which the same hosts were refused by the same filters.

    A small window: what it sets up costs a thousand hosts more than packing them.
    """
    packing = zlib.compressobj(1, zlib.DEFLATED, 12, 4)
    return packing.compress(column) + packing.flush()


def body_of(decision: Decision) -> Body:
    """All that the row's columns do not say."""
    return _BODY.decode(bytes(decision.body))


def filters_of(decision: Decision) -> list[str]:
    """Names of the filters it was made by: what the numbers in ``first_refusals`` mean. Raises LookupError."""
    return [path.rpartition(".")[2] for path in _described(decision.rules)["filters"]]


def table_of(decision: Decision) -> HostTable:
    """The table that the decision saw. Raises LookupError when its snapshot was purged."""
    return snapshots.restore(decision.snapshot, body_of(decision).difference)


def rules_of(decision: Decision) -> Rules:
    """The rules that it was made by. Raises LookupError when they were purged, or one of them is not installed."""
    return _rules(decision.rules)


@lru_cache(maxsize=64)
def _rules(key: str) -> Rules:
    told = _described(key)
    try:
        filters = tuple(find_filter(path) for path in told["filters"])
        weighers = tuple((find_weigher(path), weight) for path, weight in told["weighers"])
    except UnknownRule as problem:
        raise LookupError(str(problem)) from None
    return Rules(filters, weighers, told["subset_size"])


@lru_cache(maxsize=64)
def _described(key: str) -> dict[str, Any]:
    """``key`` names rules by their content, so what was read once holds."""
    row = Snapshot.objects.filter(id=key, kind=Snapshot.Kind.RULES).first()
    if row is None:
        raise LookupError(f"rules {key} are gone")
    return _RULES.decode(bytes(row.data))


def replay(decision: Decision, rules: Rules) -> Verdict:
    """Decide again on the same table. With the rules of then, the same verdict. Raises LookupError."""
    return decide(table_of(decision), body_of(decision).request, rules, decision.seed)


def last_alternates(consumer_id: str) -> tuple[str, ...]:
    """The hosts that the consumer's last decision kept for a failed build."""
    last: Any = Decision.objects.filter(consumer_id=consumer_id).order_by("-id").first()
    return tuple(body_of(last).alternates) if last else ()
