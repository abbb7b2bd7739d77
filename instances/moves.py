"""What a server that moves holds twice: claims on both hosts, its place in its group, the larger flavor's quota.

Every function runs in the caller's transaction, which an operation of the server guards.
"""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from computecloud.core.actor import Actor
from computecloud.core.errors import Conflict
from instances import quotas, transit
from instances.models import Instance, Move
from instances.placement import group_of
from operations import sql
from operations.models import QuotaGate
from scheduling import claims, groups

OPEN = "SELECT id FROM instances_move WHERE instance_id = %s AND is_open"
KIND = "move"
"""The consumer that holds what the server had on its old host."""


def open_of(server_id: str) -> Move | None:
    """The move that the server is on, or that waits to be confirmed. Every delete asks; most servers never moved."""
    found = sql.rows(OPEN, (server_id,))
    return Move.objects.get(pk=found[0][0]) if found else None


def begin(actor: Actor, server: Instance, kind: Move.Kind, flavor: dict[str, Any]) -> Move:
    """Take the quota of a larger flavor, and put what the server holds under the move's name.

    Raises OverQuota; Conflict when an earlier move was never settled.
    """
    assert server.host is not None  # the caller looked
    move = Move(
        instance=server, kind=kind, project_id=server.project_id, user_id=actor.user_id, was=server.settled,
        source_id=server.host.id, source_name=server.host.name, old_flavor=server.flavor(), new_flavor=flavor,
    )  # fmt: skip
    for name, value in move.hold_for(move.old_flavor).items():
        setattr(move, name, value)
    more = {name: amount for name, amount in move.held().items() if amount}
    if more:
        quotas.check_user(server.project_id, server.user_id, {quotas.api_name(name): n for name, n in more.items()})
        QuotaGate.add(server.project_id, more)
    try:
        with transaction.atomic():
            move.save(force_insert=True)
    except IntegrityError:
        raise Conflict(f"Instance {server.id} has a move that was neither confirmed nor reverted.") from None
    claims.rename((server.id, "instance"), (move.uuid, KIND))
    if group := group_of(server):
        groups.stand_in(server.id, move.uuid, group)
    return move


def note(move: Move, status: str, **columns: Any) -> None:
    """The move goes on, or waits."""
    Move.objects.filter(pk=move.pk, is_open=True).update(status=status, updated_at=Now(), **columns)


def settle_there(server: Instance, move: Move, status: str = "confirmed") -> None:
    """The server stays where it went: what it had before is given back."""
    claims.release(move.uuid, KIND)
    if server.server_group_id:
        groups.leave(move.uuid, server.server_group_id)
    _close(move, status)


def settle_back(server: Instance, move: Move, status: str) -> None:
    """The server is where it was: it holds what it held before, and nothing else."""
    claims.release(server.id)
    claims.rename((move.uuid, KIND), (server.id, "instance"))
    if group := group_of(server):
        groups.return_to(server.id, move.uuid, group, move.source_id)
    _close(move, status)


def _close(move: Move, status: str) -> None:
    seen = Move.objects.filter(pk=move.pk, is_open=True)
    if seen.update(is_open=False, status=status, held_cores=0, held_ram_mb=0, updated_at=Now()):
        QuotaGate.give_back(move.project_id, move.held())
        transit.drop_on_commit(move.uuid)


def give_up(server: Instance, move: Move) -> None:
    """The server goes: so does what its move held. Repeatable."""
    settle_there(server, move, "confirmed" if move.status == "finished" else "error")


def give_quota_back(server_id: str) -> None:
    """What a move of it counted beside the server's own figures."""
    move = open_of(server_id)
    held = Move.objects.filter(pk=move.pk, is_open=True) if move else None
    if move is not None and held is not None and held.update(held_cores=0, held_ram_mb=0):
        QuotaGate.give_back(move.project_id, move.held())
