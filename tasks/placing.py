"""Servers that wait for a host, given to the scheduler: one by one, all members of one request together, or many in
one pass when they pile up.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from functools import partial

from django.db.models import Q
from django.db.models.functions import Now

from computecloud.conf import conf
from computecloud.core.errors import CloudError
from hosts.models import Host
from instances.actions.create import Create
from instances.actions.resize import Migrate, Resize
from instances.actions.shelve import Unshelve
from instances.models import Instance
from instances.placement import to_request
from operations import sql
from operations.committing import Committing
from operations.models import Operation
from operations.models.operation import CONTROL, State, later
from scheduling import records, service
from scheduling.claims import Chosen
from scheduling.service import Job

PLACED: dict[str, type[Create | Unshelve | Resize]] = {
    action.verb: action for action in (Create, Unshelve, Resize, Migrate)
}
MOST_AT_ONCE = 32
RETURN_S = 60.0  # a host that leaves for a restart is waited for so long
LOOK_AGAIN_S = 1.0
PILED_UP_S = 0.25  # an operation that waited so long is not alone
REFUSING = Committing("control.refuse")
HELD = sql.seconds(-2.0)
# Who marks an operation takes it along in its pass; another scheduler leaves it alone for a while.
TAKE_ALONG = """UPDATE operations_operation SET rung_at = {now}
                WHERE (rung_at IS NULL OR rung_at < {later}) AND state = 'pending' AND id IN (
                  SELECT id FROM operations_operation
                  WHERE queue = 'control' AND state = 'pending' AND verb IN ('create', 'unshelve', 'resize', 'migrate')
                    AND updated_at <= {later} AND (rung_at IS NULL OR rung_at < {later})
                    AND (not_before IS NULL OR not_before <= {now})
                  ORDER BY created_at LIMIT %s)
                RETURNING id, attempt"""
_passing = threading.Lock()
Waiting = tuple[Operation, Instance]


def place(operation_id: str, attempt: int) -> bool:
    """Whether this call settled the operation. A duplicate, late or superseded bell finds nothing to do."""
    found = _waiting(operation_id, attempt)
    if found is None:
        return False
    operation = found[0]
    if _is_member(operation):
        return _place_members(operation)
    answer = _placed(found)
    _settle(found, answer)
    if service.TABLE.now() - operation.updated_at.timestamp() > PILED_UP_S:
        place_waiting()
    return not isinstance(answer, service.NoLongerWanted)


def place_waiting(since_s: float = 0.0) -> int:
    """Place many that wait in one pass; the number of those that this call took along."""
    if conf().restoring or not _passing.acquire(blocking=False):
        return 0
    try:
        taken = sql.rows(TAKE_ALONG, (HELD, sql.seconds(-since_s), HELD, MOST_AT_ONCE))
        found = [one for one in (_waiting(*row) for row in taken) if one is not None]
        singles = [one for one in found if not _is_member(one[0])]
        for one, answer in zip(singles, service.place_each([_job(one) for one in singles]), strict=True):
            _settle(one, answer)
        for operation in (one[0] for one in found if _is_member(one[0])):
            _place_members(operation)
        return len(found)
    finally:
        _passing.release()


def _waiting(operation_id: str, attempt: int) -> Waiting | None:
    """The operation and its server, if it still waits at the centre under this attempt."""
    if conf().restoring:
        return None
    operation, instance = sql.find_both(Operation, operation_id, Instance, "subject_id")
    if operation is None or (operation.state, operation.queue, operation.attempt) != (State.PENDING, CONTROL, attempt):
        return None
    if instance is None or instance.deleted_at is not None or instance.open_operation != operation.id:
        return None
    return operation, instance


def _job(waiting: Waiting) -> Job:
    operation, instance = waiting
    request = to_request(instance, operation)
    if operation.args.get("tried"):
        request = replace(request, alternates=records.last_alternates(instance.id))
    return Job(request, partial(_take_host, operation, instance))


def _take_host(operation: Operation, instance: Instance, host: Chosen) -> bool:
    """On a copy: what is rolled back with the claim leaves the operation as it was read, to try again or to refuse."""
    return PLACED[operation.verb].take_host(copy(operation), instance, host)


def _placed(waiting: Waiting) -> object:
    """The host, or why there is none."""
    job = _job(waiting)
    try:
        return service.place(job.request, job.commit)
    except (service.NoLongerWanted, service.NoValidHost, CloudError) as problem:
        return problem


def _settle(waiting: Waiting, answer: object) -> None:
    """Nothing more to do for a placed server; the others end with a fault that names the rule."""
    operation, instance = waiting
    if isinstance(answer, service.NoValidHost) and not _postponed([operation]):
        before = operation.args.get("last_fault")
        refuse(operation, instance, f"{answer} The last host said: {before}" if before else str(answer))
    elif isinstance(answer, CloudError):  # the address or port was taken between request and placement
        refuse(operation, instance, str(answer), answer.status)


def _postponed(operations: Sequence[Operation]) -> bool:
    """A host that is only being restarted may be the one: look again when it is back, for a minute at most.

    One that came back since the operation began to wait counts too: the refusal may rest on a look before that.
    """
    returning = Q(is_draining=True) | Q(agent__registered_at__gt=operations[0].updated_at)
    if not Host.objects.alive().filter(returning, is_disabled=False, lease_expires_at__gt=Now()).exists():
        return False
    waiting = Operation.objects.filter(id__in=[one.id for one in operations], state=State.PENDING, queue=CONTROL)
    young = waiting.filter(created_at__gt=later(-RETURN_S))
    return bool(young.update(not_before=later(LOOK_AGAIN_S), updated_at=Now(), rung_at=None))


def refuse(operation: Operation, instance: Instance, fault: str, code: int = 500) -> None:
    with REFUSING():
        PLACED[operation.verb].refuse(operation, instance, fault, code=code)


# --- members of one request


def _is_member(operation: Operation) -> bool:
    """One of several servers of one request, at its first placement: they come together or not at all."""
    return bool(operation.args.get("members")) and not operation.args.get("tried")


def _place_members(operation: Operation) -> bool:
    """All that still wait of the request, or none: then each shows the same fault. True when this call settled them."""
    root = operation.parent_id or operation.id
    members = _members(root)
    if not members:
        return False
    try:
        service.place_together([_job(one) for one in members])
    except service.NoLongerWanted:  # one was deleted meanwhile, or another scheduler was quicker: the next bell knows
        return False
    except (service.NoValidHost, CloudError) as problem:
        if isinstance(problem, service.NoValidHost) and _postponed([one for one, _instance in members]):
            return False
        code = problem.status if isinstance(problem, CloudError) else 500
        with REFUSING():
            for one, instance in members:
                Create.refuse(one, instance, str(problem), code=code)
    return True


def _members(root: str) -> Sequence[Waiting]:
    rows = Operation.objects.filter(Q(id=root) | Q(parent_id=root), state=State.PENDING, queue=CONTROL, attempt=0)
    waiting = {row.subject_id: row for row in rows.order_by("created_at") if _is_member(row)}
    servers = Instance.objects.alive().filter(id__in=waiting).order_by("launch_index")
    return [(waiting[one.id], one) for one in servers if one.open_operation == waiting[one.id].id]
