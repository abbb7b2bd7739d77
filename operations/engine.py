"""Opening, superseding and closing operations. Everything here runs inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models.functions import Now

from computecloud.conf import conf
from computecloud.core.actor import Actor
from operations import bell, sql
from operations.models.event import Event
from operations.models.operation import CONTROL, OPEN, Operation, State


def accept(
    *,
    actor: Actor,
    request_id: str,
    subject_kind: str,
    subject_id: str,
    project_id: str,
    verb: str,
    queue: str = CONTROL,
    deadline_s: float | None = None,
    ring: bool = True,
    is_done: bool = False,
    along: Sequence[sql.Statement] = (),
    **columns: Any,
) -> Operation:
    """Write an operation and its event, ring on commit. The partial unique index refuses a second exclusive one.

    ``is_done``: an entry in the history for what this very transaction does. ``along``: written before it, such as its
    subject's new row.
    """
    moments = {"deadline_at": ("{later}", sql.seconds(deadline_s or conf().operation_deadline_s))}
    if is_done:
        columns |= {"state": State.SUCCEEDED, "exclusive": False}
        moments |= dict.fromkeys(("started_at", "finished_at"), ("{later}", sql.seconds(0)))
    operation = Operation(
        subject_kind=subject_kind,
        subject_id=subject_id,
        verb=verb,
        project_id=project_id,
        user_id=actor.user_id,
        request_id=request_id,
        queue=queue,
        **columns,
    )
    statements = [*along, sql.inserting(operation, **moments)]
    if operation.listed:
        kind = f"{subject_kind}.{verb}.accepted"
        told = Event.noting(kind, subject_kind, subject_id, project_id=project_id, operation_id=operation.id)
        statements.append(told)
    sql.each(statements)
    if ring and not is_done:
        bell.ring_on_commit(operation)
    return operation


def _ended() -> dict[str, Any]:
    """What no ended operation keeps, and when it ended."""
    return {"finished_at": Now(), "updated_at": Now(), "lease_until": None, "sealed": None}


def supersede(subject_kind: str, subject_id: str) -> int:
    """Delete wins: whatever is open on the subject stops at its next step."""
    guards = {"subject_kind": subject_kind, "subject_id": subject_id, "exclusive": True, "state": OPEN}
    return sql.change(Operation, guards, {"state": State.SUPERSEDED, **_ended()})


def move(operation: Operation, *, queue: str, along: Sequence[sql.Statement] = (), **columns: Any) -> bool:
    """Hand a pending or own operation on to another queue. Guarded by state, queue and attempt; rings on commit.

    Attempts go on counting, as steps are told apart by them; those that were made elsewhere are no crashes here.
    ``along``: guarded updates that stand or fall with it. On False the caller rolls back.
    """
    guards = {"id": operation.id, "state": OPEN, "queue": operation.queue, "attempt": operation.attempt}
    pending = {"state": State.PENDING, "queue": queue, "cursor": 0, "runner": "", "lease_until": None}
    pending |= {"handovers": operation.attempt}
    moving = sql.changing(Operation, guards, {**pending, "updated_at": Now(), **columns})
    if 0 in sql.each([moving, *along]):
        return False
    operation.state, operation.queue, operation.handovers = State.PENDING, queue, operation.attempt
    for name, value in columns.items():
        setattr(operation, name, value)
    bell.ring_on_commit(operation)
    return True


def close(operation: Operation, state: State, **columns: Any) -> bool:
    """End an open operation of this very queue and attempt; False when somebody else did, or moved it (superseded,
    lease lost, placed).
    """
    guards = {"id": operation.id, "state": OPEN, "queue": operation.queue, "attempt": operation.attempt}
    if not sql.change(Operation, guards, {"state": state, **_ended(), **columns}):
        return False
    operation.state = state
    if operation.listed:
        Event.note(
            f"{operation.subject_kind}.{operation.verb}.{state.value}",
            operation.subject_kind,
            operation.subject_id,
            project_id=operation.project_id,
            operation_id=operation.id,
        )
    return True
