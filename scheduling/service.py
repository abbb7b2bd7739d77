"""One home for placement: whoever wants a host for anything asks here, for real or for an answer only.

Decide on the table, claim in the database, let the owner commit with the claim. ``place``,
``place_each`` and ``place_together`` write; ``ask`` never does.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from django.db import transaction

from computecloud.core.errors import CloudError
from computecloud.core.failpoints import Point
from operations.committing import Committing
from scheduling import claims, configuration, groups, metrics, records, turns
from scheduling.claims import Chosen
from scheduling.decisions import Verdict, decide
from scheduling.fresh import FreshTable
from scheduling.records import Seen
from scheduling.relaxation import less_of_all
from scheduling.request import PlacementRequest
from scheduling.snapshots import Snapshots
from scheduling.table import HostTable

TABLE = FreshTable()
PLACING, CLAIMED = Committing("control", flushes=False), Point("control.after_claim")
SNAPSHOTS = Snapshots()
AT_ONCE = 16  # placements in one transaction of a pass
ROUNDS = 5  # decisions for one request before losing every race counts as no host

Commit = Callable[[Chosen], bool]


@dataclass(frozen=True, slots=True)
class Job:
    """A request, and what its owner does in the claim's transaction."""

    request: PlacementRequest
    commit: Commit


@dataclass(frozen=True, slots=True)
class Draft:
    """A decision that nothing in the database follows from yet; the table counts its first host as taken.

    ``amounts``: what would be claimed on each of the hosts.
    """

    job: Job
    seen: Seen
    hosts: list[Chosen]
    amounts: list[Mapping[str, int]]


class NoValidHost(Exception):
    """No host can take it; the text names the rule that stopped it and what was missing, and no host's name."""


class NoLongerWanted(Exception):
    """The owner's commit found that somebody else moved or ended the operation. Everything was rolled back."""


def forget() -> None:
    """Read everything anew at the next question."""
    TABLE.forget()
    SNAPSHOTS.forget()


def freshen() -> None:
    """What the scheduler's process does in the background, so that no placement waits for it."""
    TABLE.refresh()
    with TABLE.lock:
        if SNAPSHOTS.is_used and SNAPSHOTS.is_outdated(TABLE.table):
            SNAPSHOTS.take(TABLE.table)


def ask(request: PlacementRequest) -> Verdict:
    """What would be decided now. Writes nothing; ``candidates`` are rows of ``TABLE.table``."""
    if request.group:
        members = groups.members_of([request.group.id])[request.group.id]
        request = replace(request, group=replace(request.group, members=members))
    table = TABLE.get()
    with TABLE.lock:
        return decide(table, request, configuration.in_force(), seed_of(request))


def place(request: PlacementRequest, commit: Commit) -> Chosen:
    """Claim a host for the request; ``commit(host)`` runs in the claim's transaction and says whether it stands.

    A lost race tries the next candidate, then decides once more on refreshed rows; no host on a table that is a moment
    old is looked at once more too. Raises NoValidHost, NoLongerWanted.
    """
    lost, is_fresh = 0, False
    for _round in range(ROUNDS):
        [draft] = _draft([Job(request, commit)])
        for place in range(len(draft.hosts)):
            if _write_one(draft, place, lost):
                return draft.hosts[place]
            lost += 1
        if is_fresh and not draft.hosts:
            break
        TABLE.refresh()
        is_fresh = True
    fault = _fault(draft.seen.verdict)
    _store(draft, None, lost, fault)
    raise NoValidHost(fault)


def place_each(jobs: Sequence[Job]) -> list[Chosen | Exception]:
    """Several requests in one pass, each on what the ones before it left; written in few transactions.

    For each its host or what ``place`` would have raised.
    """
    answers: dict[str, Chosen | Exception] = {}
    drafts = [draft for draft in _draft(jobs) if draft.hosts]
    for start in range(0, len(drafts), AT_ONCE):
        part = drafts[start : start + AT_ONCE]
        if _write_all(part):
            answers |= {draft.job.request.consumer_id: draft.hosts[0] for draft in part}
        else:  # somebody else was quicker with one of them
            _forget_drafts(part)
    for job in jobs:
        if job.request.consumer_id not in answers:
            answers[job.request.consumer_id] = _placed_alone(job)
    return [answers[job.request.consumer_id] for job in jobs]


def place_together(jobs: Sequence[Job]) -> list[Chosen]:
    """All or nobody, in one transaction. Raises NoValidHost, NoLongerWanted, and what an owner's commit raises; then
    nothing is held for any of them.
    """
    is_fresh = False
    for _round in range(ROUNDS):
        drafts = _draft(jobs)
        homeless = next((draft for draft in drafts if not draft.hosts), None)
        if homeless is None and _write_all(drafts, pass_on=(NoLongerWanted, CloudError)):
            return [draft.hosts[0] for draft in drafts]
        _forget_drafts(drafts)
        if is_fresh and homeless is not None:
            break
        TABLE.refresh()
        is_fresh = True
    stuck = homeless or drafts[0]
    fits = sum(bool(draft.hosts) for draft in drafts)
    fault = f"{_fault(stuck.seen.verdict)} All {len(drafts)} servers of the request or none: {fits} would fit."
    for draft in drafts:
        _store(draft, None, 0, fault)
    raise NoValidHost(fault)


def seed_of(request: PlacementRequest) -> int:
    """What the draws of a decision depend on: the consumer, and how often it was placed before."""
    return zlib.crc32(f"{request.consumer_id} {len(request.excluded_host_ids)}".encode())


# --- on the table


def _draft(jobs: Sequence[Job]) -> list[Draft]:
    """Decide each on what the ones before it leave."""
    members = turns.members_of([job.request for job in jobs])
    table = TABLE.get()
    with TABLE.lock:
        return [_draft_one(job, table, members) for job in jobs]


def _draft_one(job: Job, table: HostTable, members: turns.Members) -> Draft:
    turn = turns.next_turn(table, job.request, members, configuration.in_force(), seed_of(job.request))
    seen = records.see(turn.verdict, table, SNAPSHOTS)
    turns.count(turn, table, members)
    return Draft(Job(turn.verdict.request, job.commit), seen, turn.hosts, turn.amounts)


# --- in the database


def _write_one(draft: Draft, place: int, lost: int) -> bool:
    """Claim, group place, the owner's commit and the decision, or nothing. False: somebody else was quicker."""
    host = draft.hosts[place]
    if place:
        TABLE.add_claim(host.id, draft.amounts[place])
    try:
        with PLACING(host.id):
            _write([(draft, place)], lost)
    except claims.ClaimLost:
        TABLE.reread([host.id])
        return False
    except Exception:
        TABLE.reread([host.id])
        raise
    return True


def _forget_drafts(drafts: Sequence[Draft]) -> None:
    """The table counts what it took for these as free again: as the database has it."""
    TABLE.reread({host.id for draft in drafts for host in draft.hosts[:1]})


def _write_all(drafts: Sequence[Draft], pass_on: tuple[type[Exception], ...] = ()) -> bool:
    """Each draft with its first host, all in one transaction. False: not all of them can be."""
    try:
        with PLACING(drafts[0].hosts[0].id):
            _write([(draft, 0) for draft in drafts], 0)
    except pass_on:
        _forget_drafts(drafts)
        raise
    except (claims.ClaimLost, NoLongerWanted, CloudError):
        return False
    return True


def _write(placements: Sequence[tuple[Draft, int]], lost: int) -> None:
    """In the caller's transaction. One order for all who write: inventories by host, then groups, then projects."""
    start = time.perf_counter_ns()
    by_host = sorted(placements, key=lambda pair: pair[0].hosts[pair[1]].id)
    for draft, place in by_host:
        wanted, host = draft.job.request, draft.hosts[place]
        amounts = draft.amounts[place]
        claims.claim(wanted.consumer_id, host.id, amounts, wanted.project_id, wanted.user_id, only_open=True)
        CLAIMED(host.id)
    for draft, place in by_host:
        if draft.job.request.group:
            groups.take_place(draft.job.request.group, draft.job.request.consumer_id, draft.hosts[place].id)
    for draft, place in sorted(placements, key=lambda pair: pair[0].job.request.project_id):
        host = draft.hosts[place]
        if not draft.job.commit(host):
            raise NoLongerWanted(draft.job.request.consumer_id)
        took = (time.perf_counter_ns() - start) // 1000
        _store(draft, host, lost, "", took)


def _store(draft: Draft, host: Chosen | None, lost: int, fault: str, took_us: int = 0) -> None:
    """Keep the decision, in the caller's transaction if there is one; it is counted when that stands."""
    verdict = draft.seen.verdict
    records.store(draft.seen, (host.id, host.name) if host else None, lost, fault, took_us)
    counted = partial(metrics.count, verdict, is_placed=host is not None, lost_races=lost, claim_us=took_us)
    transaction.on_commit(counted, robust=True)  # a counter keeps no bell from ringing


def _placed_alone(job: Job) -> Chosen | Exception:
    try:
        return place(job.request, job.commit)
    except (NoValidHost, NoLongerWanted, CloudError) as problem:
        return problem


def _fault(verdict: Verdict) -> str:
    """What the owner reads: the rule, what is missing, and what else has to change where that alone is not enough."""
    text = f"No valid host was found. {verdict.fault or 'Every candidate was taken by others meanwhile.'}"
    if verdict.is_blocked_by_one:
        return text
    with TABLE.lock:
        remedy = less_of_all(TABLE.table, verdict.request, verdict.rules)
    if remedy is None:
        return f"{text}. Other rules refuse the host too."
    return f"{text}. In all: {', '.join(change.text for change in remedy.changes)}."
