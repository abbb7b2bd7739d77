"""What users do with servers that needs no host: asking for them within all quotas, renaming, locking.

Verbs that a host performs live in ``actions``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from computecloud.conf import conf
from computecloud.core.actor import Actor
from computecloud.core.errors import Conflict, Invalid, NotFound, OverQuota
from computecloud.http import policy
from hosts.models import Host
from instances import quotas, repeats, server_groups
from instances.actions.create import Create, CreateRequest
from instances.errors import BadReference, InstanceNotFound
from instances.models import Instance
from instances.repeats import RequestKey
from integrations.networks import facade as networks
from operations import engine, sql

UNLOCK_OVERRIDE = "os_compute_api:os-lock-server:unlock:unlock_override"


def get(actor: Actor, server_id: str) -> Instance:
    """A living server that the actor may see, with its host. Raises InstanceNotFound."""
    row = sql.find(Instance, server_id)
    if row is None or row.deleted_at is not None or not row.is_seen_by(actor):
        raise InstanceNotFound(instance_id=server_id)
    if row.host_id:
        row.host = sql.find(Host, row.host_id)
    return row


# --- create


def create(actor: Actor, wanted: CreateRequest, request_id: str) -> list[Instance]:
    """As many servers as quota allows, from ``min_count`` to ``count``. Raises OverQuota, BadReference."""
    return _within_quota(actor, wanted, lambda some: _submit(actor, some, request_id))


def rehearse(actor: Actor, wanted: CreateRequest) -> list[Instance]:
    """The servers that ``create`` would write now, unwritten; in a transaction that the caller rolls back, so that the
    very gates say what quota allows. Raises what ``create`` raises."""
    return _within_quota(actor, wanted, lambda some: _take(actor, some))


def _within_quota(
    actor: Actor, wanted: CreateRequest, make: Callable[[CreateRequest], list[Instance]]
) -> list[Instance]:
    try:
        return make(wanted)
    except OverQuota:
        count = min(wanted.count - 1, _room(actor, wanted))
        if count < wanted.min_count:
            raise
        return make(replace(wanted, count=count))


def create_once(
    actor: Actor, key: RequestKey | None, make: Callable[[], CreateRequest], request_id: str
) -> tuple[Instance, str | None]:
    """The first server of the request and its password; of a key that was used before, what it made then.

    Raises KeyUsedOtherwise, and what ``make`` and ``create`` raise.
    """
    before = repeats.earlier(actor, key)
    if before is not None:
        return before
    wanted = make()
    if key is not None:
        wanted = replace(wanted, request_key=key.key, request_digest=key.digest)
    try:
        return create(actor, wanted, request_id)[0], wanted.admin_password
    except (IntegrityError, OverQuota):
        winner = repeats.earlier(actor, key)  # the same request at the same moment
        if winner is None:
            raise
        return winner


def _amounts(wanted: CreateRequest) -> dict[str, int]:
    """What one server takes, by Nova's names."""
    return {"instances": 1, "cores": wanted.flavor.vcpus, "ram": wanted.flavor.ram_mb}


def _submit(actor: Actor, wanted: CreateRequest, request_id: str) -> list[Instance]:
    return Create.submit(actor, wanted, request_id, partial(_admit, actor, wanted))


def _take(actor: Actor, wanted: CreateRequest) -> list[Instance]:
    rows = Create.rows(actor, wanted)
    with transaction.atomic():
        _admit(actor, wanted)
        Create.take_quota(rows)
    return rows


def _admit(actor: Actor, wanted: CreateRequest) -> None:
    """Hold the user to his own limits, and let the servers into their group. In the caller's transaction."""
    amounts = {name: amount * wanted.count for name, amount in _amounts(wanted).items()}
    quotas.check_user(actor.project_id or "", actor.user_id, amounts)
    if wanted.server_group_id:
        _join(actor, wanted.server_group_id, wanted.count)


def _join(actor: Actor, group_id: str, count: int) -> None:
    try:
        server_groups.admit(actor, group_id, count)
    except NotFound as problem:
        raise BadReference(str(problem)) from None


def _room(actor: Actor, wanted: CreateRequest) -> int:
    """How many such servers fit into the project's quota now."""
    project_id = actor.project_id or ""
    limits, used = quotas.user_limits(project_id, actor.user_id), quotas.in_use(project_id)
    counted = {name: amount for name, amount in _amounts(wanted).items() if amount and limits[name] >= 0}
    fitting = [(limits[name] - used[name]) // amount for name, amount in counted.items()]
    return min(fitting, default=wanted.count - 1)


# --- change


def update(actor: Actor, server: Instance, changes: Mapping[str, Any]) -> None:
    """Write plain columns. Raises InstanceNotFound when it was deleted meanwhile."""
    if not Instance.objects.alive().filter(id=server.id).update(**changes, updated_at=Now()):
        raise InstanceNotFound(instance_id=server.id)


def pin_to(server: Instance, zone: str | None) -> dict[str, str | None]:
    """The columns that pin a server to its zone or let it go. Raises Conflict, in Nova's words."""
    if zone is None or zone == server.pinned_zone:
        return {"pinned_zone": zone}
    if server.pinned_zone is not None:
        raise Conflict(
            "Cannot change pinned availability zone directly. Unpin first by setting pinned_availability_zone to null."
        )
    current = server.availability_zone or conf().default_availability_zone
    if zone != current:
        raise Conflict(
            f"Server can only be pinned to its current availability zone '{current}', but '{zone}' was requested."
        )
    return {"pinned_zone": zone}


def lock(actor: Actor, server: Instance, request_id: str, reason: str | None = None) -> None:
    """Refuse actions of members from now on. An owner's lock does not replace an administrator's."""
    is_owner = server.project_id == actor.project_id
    if server.locked_by and is_owner:
        return
    with transaction.atomic():
        update(actor, server, {"locked_by": "owner" if is_owner else "admin", "locked_reason": reason})
        _record(actor, server, "lock", request_id)


def unlock(actor: Actor, server: Instance, request_id: str) -> None:
    """Allow actions again. What an administrator locked, an administrator unlocks. Raises Forbidden."""
    expected = "owner" if server.project_id == actor.project_id else "admin"
    if server.locked_by not in ("", expected):
        policy.authorize(actor, UNLOCK_OVERRIDE)
    with transaction.atomic():
        update(actor, server, {"locked_by": "", "locked_reason": None})
        _record(actor, server, "unlock", request_id)


def _record(actor: Actor, server: Instance, verb: str, request_id: str) -> None:
    """An entry in the server's history for something that is already done."""
    engine.accept(
        actor=actor,
        request_id=request_id,
        subject_kind="server",
        subject_id=server.id,
        project_id=server.project_id,
        verb=verb,
        is_done=True,
    )


# --- security groups


def join_group(server: Instance, name: str) -> None:
    """Put all the server's ports into a group. Raises NotFound, Conflict, Invalid."""
    with transaction.atomic():
        if not _moved(networks.join_group, server, name):
            raise Invalid(
                "Network requires port_security_enabled and subnet associated in order to apply security groups."
            )
        refresh_nics(server)


def leave_group(server: Instance, name: str) -> None:
    """Take all the server's ports out of a group. Raises NotFound, Conflict."""
    with transaction.atomic():
        if not _moved(networks.leave_group, server, name):
            raise NotFound(f"Security group {name} not associated with the instance {server.id}")
        refresh_nics(server)


def _moved(move: Callable[[str, str, str], bool], server: Instance, name: str) -> bool:
    try:
        return move(server.id, server.project_id, name)
    except Invalid as problem:
        raise NotFound(str(problem)) from None


def refresh_nics(server: Instance) -> None:
    """Read the server's ports anew into its cached addresses."""
    nics = msgspec.to_builtins(networks.nics(server.id))
    Instance.objects.filter(id=server.id).update(network_info=nics, updated_at=Now())
