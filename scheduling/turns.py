"""Placements one after the other on one table: each is decided on what those before it left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from scheduling import groups
from scheduling.claims import Chosen
from scheduling.columns import numa
from scheduling.decisions import Verdict, decide
from scheduling.request import PlacementRequest
from scheduling.rules import Rules
from scheduling.table import HostTable

Members = dict[str, Counter[str]]
"""Who of each server group is where: group → host's id → count."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A verdict with its candidates, best first. ``amounts``: what would be claimed on each of them."""

    verdict: Verdict
    hosts: list[Chosen]
    amounts: list[Mapping[str, int]]


def members_of(requests: Iterable[PlacementRequest]) -> Members:
    """Who of the requests' groups is where. No query when no request has a group."""
    ids = {request.group.id for request in requests if request.group}
    return groups.members_of(ids) if ids else {}


def with_members(request: PlacementRequest, members: Mapping[str, int]) -> PlacementRequest:
    """The request with who of its group is where."""
    assert request.group is not None  # the caller looked
    return replace(request, group=replace(request.group, members=dict(members)))


def next_turn(table: HostTable, request: PlacementRequest, members: Members, rules: Rules, seed: int) -> Turn:
    """Decide. Nothing is counted yet."""
    if request.group:
        request = with_members(request, members[request.group.id])
    verdict = decide(table, request, rules, seed)
    hosts = [Chosen(table.ids[row], table.names[row], table.zones[row]) for row in verdict.candidates]
    return Turn(verdict, hosts, [numa.resources_on(table, row, request) for row in verdict.candidates])


def count(turn: Turn, table: HostTable, members: Members) -> None:
    """Count the first candidate as taken, for those who come after."""
    if turn.hosts:
        table.add_claim(turn.verdict.candidates[0], turn.amounts[0])
        if group := turn.verdict.request.group:
            members[group.id][turn.hosts[0].id] += 1


def rehearse(table: HostTable, requests: Sequence[PlacementRequest], rules: Rules, seeds: Sequence[int]) -> list[Turn]:
    """All of them in turn, counted on the given table: hand over a twin."""
    members = members_of(requests)
    turns = []
    for request, seed in zip(requests, seeds, strict=True):
        turns.append(next_turn(table, request, members, rules, seed))
        count(turns[-1], table, members)
    return turns
