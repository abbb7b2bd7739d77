"""Whether rows agree with each other: servers, allocations, quota gates, operations, states, ports.

Reads only. What can be set right without a person offers how, as conditional UPDATEs and by the code of claims.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, F, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce

from hosts.models import Allocation
from hosts.resource_classes import OF_CELLS
from instances import moves
from instances.models import Instance, Move
from integrations.networks import facade as networks
from operations.drift import Drift
from operations.models import Operation, QuotaGate
from scheduling import claims
from scheduling.audit import misplaced_members, unbalanced_inventories

COUNTED = {"instances": Count("id"), "cores": Sum("vcpus"), "ram_mb": Sum("ram_mb")}
HELD = {"cores": Sum("held_cores"), "ram_mb": Sum("held_ram_mb")}


def _allocations() -> list[Drift]:
    """Each living server with a host holds exactly its flavor there; nobody else holds anything.

    A server that is being deleted is passed over: its host may not be clean yet.
    """
    leaving = set(Operation.objects.open().filter(verb="delete").values_list("subject_id", flat=True))
    under_way = list(Move.objects.filter(is_open=True).exclude(instance__in=leaving).select_related("instance"))
    moving = {move.instance_id for move in under_way}
    placed = Instance.objects.alive().filter(host__isnull=False).exclude(id__in=leaving | moving)
    wanted = {(one.id, one.host_id, name, n) for one in placed for name, n in one.claims().items()}
    wanted |= {claim for move in under_way for claim in _of_move(move)}
    left = Move.objects.filter(is_open=True, instance__in=leaving).values_list("uuid", flat=True)
    rows = Allocation.objects.exclude(consumer_id__in=leaving | set(left))
    rows = rows.exclude(resource_class__startswith=OF_CELLS)  # which cells a guest got is written in its claims alone
    held = set(rows.values_list("consumer_id", "host_id", "resource_class", "amount"))
    wrongful = [
        Drift(f"{row[0]} holds {row[3]} {row[2]} without a right", "server", row[0], partial(_give_back, *row))
        for row in held - wanted
    ]
    return wrongful + [
        Drift(f"server {row[0]} does not hold its {row[3]} {row[2]}", "server", row[0], partial(_claim, *row))
        for row in wanted - held
    ]


def _of_move(move: Move) -> list[tuple[str, str, str, int]]:
    """What a server that moves holds on its new host, and its move on the old one."""
    then = move.instance.with_flavor(move.new_flavor).claims() if move.dest_id else {}
    before = move.instance.with_flavor(move.old_flavor).claims()
    there = [(move.instance_id, move.dest_id, name, n) for name, n in then.items()]
    return there + [(move.uuid, move.source_id, name, n) for name, n in before.items()]


def _give_back(server_id: str, host_id: str, resource_class: str, amount: int) -> bool:
    """Release what a server has no right to; one with an open operation may be about to get the right."""
    row = Instance.objects.filter(id=server_id).first()
    if row is not None and (row.open_operation or not _hold_still(row)):
        return False
    if row is not None and row.host_id == host_id and row.claims().get(resource_class) == amount:
        return False
    where = (host_id, resource_class)
    if claims.release(server_id, only=where):
        return True
    is_over = not Move.objects.filter(uuid=server_id, is_open=True).exists()
    return is_over and bool(claims.release(server_id, moves.KIND, only=where))


def _claim(server_id: str, host_id: str | None, resource_class: str, amount: int) -> bool:
    """Claim what a server uses without holding it. A full host refuses: then a server must leave it first."""
    row = Instance.objects.alive().filter(id=server_id, host_id=host_id, open_operation__isnull=True).first()
    if row is None or host_id is None or not _hold_still(row):
        return False
    try:
        with transaction.atomic():
            claims.claim(server_id, host_id, {resource_class: amount}, row.project_id, row.user_id)
    except (claims.ClaimLost, IntegrityError):
        return False
    return True


def _hold_still(row: Instance) -> bool:
    """The first write of a transaction: no verb begins on the server before it ends."""
    unchanged = Instance.objects.filter(id=row.id, host_id=row.host_id, open_operation__isnull=True)
    return bool(unchanged.update(owner_epoch=F("owner_epoch")))


def _quotas() -> list[Drift]:
    counted: dict[str, dict[str, Any]] = {
        row["project_id"]: dict(row)
        for row in Instance.objects.counted().order_by().values("project_id").annotate(**COUNTED)
    }
    held: dict[str, dict[str, Any]] = {
        row["project_id"]: dict(row)
        for row in Move.objects.filter(is_open=True).order_by().values("project_id").annotate(**HELD)
    }
    wrong = []
    for gate in QuotaGate.objects.filter(resource__in=COUNTED, project_id__regex="^[^:]*$"):
        is_used = counted.get(gate.project_id, {}).get(gate.resource, 0)
        is_used += held.get(gate.project_id, {}).get(gate.resource) or 0
        if gate.used != is_used:
            text = f"quota {gate.resource} of {gate.project_id}: used {gate.used}, counted {is_used}"
            wrong.append(Drift(text, "project", gate.project_id, partial(_recount, gate)))
    return wrong


def _recount(gate: QuotaGate) -> bool:
    """Count anew, if nobody has taken or given back since: every change of the count changes the gate."""
    count = (
        Instance.objects.counted()
        .filter(project_id=OuterRef("project_id"))
        .order_by()
        .values("project_id")
        .annotate(n=COUNTED[gate.resource])
        .values("n")
    )
    used: Any = Coalesce(Subquery(count), 0)
    if gate.resource in HELD:
        moving = Move.objects.filter(project_id=OuterRef("project_id"), is_open=True).order_by().values("project_id")
        used += Coalesce(Subquery(moving.annotate(n=HELD[gate.resource]).values("n")), 0)
    unchanged = QuotaGate.objects.filter(id=gate.id, used=gate.used)
    return bool(unchanged.update(used=used))


def _operations() -> list[Drift]:
    """The open operation a server names is open."""
    named = dict(Instance.objects.filter(open_operation__isnull=False).values_list("open_operation", "id"))
    open_ones = set(Operation.objects.open().filter(exclusive=True).values_list("id", flat=True))
    return [
        Drift(
            f"server {named[key]} waits for an operation that is over", "server", named[key],
            partial(_stop_waiting, named[key], str(key)),
        )
        for key in named.keys() - open_ones
    ]  # fmt: skip


def _stop_waiting(server_id: str, operation_id: str) -> bool:
    still_open = Operation.objects.open().filter(id=OuterRef("open_operation"))
    row = Instance.objects.get(id=server_id)
    waiting = Instance.objects.filter(id=server_id, open_operation=operation_id).exclude(Exists(still_open))
    return bool(waiting.update(**row.cache(None, open_operation=None)))


def _states() -> list[Drift]:
    """The four state words of an idle server are what its facts say."""
    wrong = []
    for row in Instance.objects.alive().filter(open_operation__isnull=True):
        words = {name: value for name, value in row.cache().items() if name != "updated_at"}
        shown = {name: getattr(row, name) for name in words}
        if shown != words:
            text = f"server {row.id} shows {row.status} ({row.vm_state}), its facts say {words['status']}"
            wrong.append(Drift(text, "server", row.id, partial(_show_facts, row)))
    return wrong


def _show_facts(row: Instance) -> bool:
    unchanged = Instance.objects.filter(
        id=row.id, open_operation__isnull=True, settled=row.settled, observed_power=row.observed_power
    )
    return bool(unchanged.update(**row.cache()))


def _ports() -> list[Drift]:
    """No port is held by a server that is gone."""
    holders = networks.servers_with_ports()
    alive = set(Instance.objects.alive().filter(id__in=holders).values_list("id", flat=True))
    return [
        Drift(f"ports are held by server {one}, which is gone", "server", one, partial(_let_go, one))
        for one in holders - alive
    ]


def _let_go(server_id: str) -> bool:
    networks.release(server_id)
    return True


def drifts() -> list[Drift]:
    """Everything that does not agree; empty is well. In the order in which it is to be mended."""
    balance = [*_allocations(), *unbalanced_inventories(), *misplaced_members()]
    return [*balance, *_quotas(), *_operations(), *_states(), *_ports()]


def findings() -> list[str]:
    """The same in words."""
    return [drift.text for drift in drifts()]
