"""Whether servers would be accepted and find hosts, asked by the code that creates them; nothing of it stays.

The path of a create is walked until it writes: references, quota gates and ports in transactions that are rolled back,
then the scheduler on a table of its own. So a create straight after meets what was said here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from django.db import transaction

from computecloud.core.actor import Actor
from computecloud.core.errors import CloudError, OverQuota
from instances import quotas, servers
from instances.actions.create import Create, CreateRequest
from instances.models import Instance
from instances.placement import to_request
from operations.models import Operation
from scheduling import configuration, service, suppositions, turns
from scheduling.decisions import equals
from scheduling.relaxation import Change, Remedy, remedies
from scheduling.request import PlacementRequest
from scheduling.room import room
from scheduling.rules import Rules
from scheduling.suppositions import Fleet
from scheduling.table import HostTable
from scheduling.turns import Turn

QUOTAS = ("instances", "cores", "ram", "server_group_members")


@dataclass(frozen=True, slots=True)
class Suppositions:
    """``quota``: so much more, by Nova's names."""

    quota: Mapping[str, int] = field(default_factory=dict)
    fleet: Fleet = field(default_factory=Fleet)


@dataclass(frozen=True, slots=True)
class Answer:
    """``admitted``: servers that quota lets in. ``turns``: one for each of them, or for each that was asked for when
    quota lets none in. ``equals``: rows among which the first one's host is drawn. ``most``: how many would fit."""

    wanted: CreateRequest
    admitted: int
    quota_problem: str
    quota_remedies: list[Change]
    table: HostTable  # before anything was placed
    turns: list[Turn]
    equals: list[int]
    most: int
    network_problem: str
    remedies: list[Remedy]

    @property
    def fitting(self) -> int:
        """Servers that find a host, in turn, quota or not."""
        return sum(bool(turn.hosts) for turn in self.turns)

    @property
    def would_fit(self) -> bool:
        """Servers of one request are placed together or not at all."""
        return bool(self.admitted) and self.fitting == len(self.turns) and not self.network_problem

    @property
    def homeless(self) -> Turn | None:
        """The first that finds none."""
        return next((turn for turn in self.turns if not turn.hosts), None)


def ask(actor: Actor, read: Callable[[], CreateRequest], suppose: Suppositions) -> Answer:
    """``read`` turns the body into a request. Raises what it raises, and what keeps a create from being accepted for
    other reasons than quota."""
    with _undone():
        wanted = read()
        quotas.suppose(actor.project_id or "", actor.user_id, suppose.quota)
        rows, problem = _admitted(actor, wanted)
        asked = rows or Create.rows(actor, wanted)
        operation = Operation(verb=Create.verb, args=Create.args(wanted))
        requests = [to_request(row, operation) for row in asked]
        more = _missing(actor, wanted) if problem else []
    table = suppositions.table(suppose.fleet)
    rules = configuration.in_force()
    seeds = [service.seed_of(request) for request in requests]
    found = turns.rehearse(table.twin(), requests, rules, seeds)
    first = found[0].verdict.request
    return Answer(
        wanted=wanted,
        admitted=len(rows),
        quota_problem=problem,
        quota_remedies=more,
        table=table,
        turns=found,
        equals=equals(table, first, rules),
        most=int(room(table, first, rules).sum()),
        network_problem=_ports(asked, found),
        remedies=_remedies(table, found, rules),
    )


@contextmanager
def _undone() -> Iterator[None]:
    """A transaction that never was."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def _admitted(actor: Actor, wanted: CreateRequest) -> tuple[list[Instance], str]:
    """The servers that quota lets in, or why it lets none in."""
    try:
        return servers.rehearse(actor, wanted), ""
    except OverQuota as problem:
        return [], str(problem)


def _missing(actor: Actor, wanted: CreateRequest) -> list[Change]:
    """By how much each limit would have to be higher for the least number of servers; tried on the gates."""
    project_id = actor.project_id or ""
    limits, used = quotas.user_limits(project_id, actor.user_id), quotas.in_use(project_id)
    asked = {"instances": 1, "cores": wanted.flavor.vcpus, "ram": wanted.flavor.ram_mb}
    short = {}
    for name, amount in asked.items():
        over = used[name] + amount * wanted.min_count - limits[name]
        if limits[name] >= 0 and over > 0:
            short[name] = over
    found = [
        Change(f"quota:{name}", str(limits[name]), str(limits[name] + over), f"{over} more of the quota {name}", over)
        for name, over in short.items()
    ]
    with suppress(CloudError), transaction.atomic():
        quotas.suppose(project_id, actor.user_id, short)
        servers.rehearse(actor, wanted)
        return found
    return []


def _ports(rows: Sequence[Instance], found: Sequence[Turn]) -> str:
    """Why one of the servers that found a host would not get its ports there, in its turn."""
    if not rows[0].network_wishes:
        return ""
    with _undone():
        for row, turn in zip(rows, found, strict=True):
            if turn.hosts:
                try:
                    with transaction.atomic():
                        Create.ports(row, turn.hosts[0])
                except CloudError as problem:
                    return str(problem)
    return ""


def _remedies(table: HostTable, found: Sequence[Turn], rules: Rules) -> list[Remedy]:
    """What would help the first server that found no host, on what the ones before it left."""
    members = turns.members_of([turn.verdict.request for turn in found])
    table = table.twin()
    for turn in found:
        if not turn.hosts:
            return remedies(table, turn.verdict.request, rules)
        turns.count(turn, table, members)
    return []


def wish_of(actor: Actor, read: Callable[[], CreateRequest]) -> PlacementRequest:
    """What the scheduler would be asked for the first of the servers of a create."""
    with _undone():
        wanted = read()
        [row] = Create.rows(actor, replace(wanted, count=1))
        request = to_request(row, Operation(verb=Create.verb, args=Create.args(wanted)))
    if request.group is None:
        return request
    return turns.with_members(request, turns.members_of([request])[request.group.id])


def of_server(server: Instance) -> PlacementRequest:
    """What the scheduler would be asked about a server that exists; it is no member of its own group then."""
    request = to_request(server, Operation(verb="why-not"))
    if request.group is None:
        return request
    where = turns.members_of([request])[request.group.id]
    if server.host_id:
        where[server.host_id] -= 1
    others = {host: count for host, count in where.items() if count > 0}
    return turns.with_members(request, others)
