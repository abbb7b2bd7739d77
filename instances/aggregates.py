"""What administrators do with host aggregates. A zone is an aggregate's word for its hosts; a host is in one zone only,
and a server never changes its zone because its host did.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from computecloud.conf import conf
from computecloud.core.errors import Conflict, Invalid, NotFound
from hosts.models import Aggregate, AggregateHost, Host
from instances.fleet import find_host
from instances.models.instance import Instance

ZONE = "availability_zone"


class AggregateNotFound(NotFound):
    message = "Aggregate {aggregate_id} could not be found."


class AggregateNameTaken(Conflict):
    message = "Aggregate {name} already exists."


class AggregateHostTaken(Conflict):
    message = "Aggregate {aggregate_id} already has host {host}."


class AggregateHostNotFound(NotFound):
    message = "Cannot remove host {host} in aggregate {aggregate_id}"


class CannotUpdate(Invalid):
    message = "Cannot update aggregate {aggregate_id}. Reason: {reason}."


class CannotDelete(Invalid):
    message = "Cannot remove aggregate {aggregate_id}. Reason: {reason}."


class CannotMoveHost(Conflict):
    message = "Cannot change hosts of aggregate {aggregate_id}. Reason: {reason}."


def get(aggregate_id: int) -> Aggregate:
    """Raises AggregateNotFound."""
    found = Aggregate.objects.filter(pk=aggregate_id).first()
    if found is None:
        raise AggregateNotFound(aggregate_id=aggregate_id)
    return found


def _hold(aggregate_id: int) -> Aggregate:
    """The aggregate, for this transaction only: updating the row makes a second writer wait."""
    if not Aggregate.objects.filter(pk=aggregate_id).update(updated_at=Now()):
        raise AggregateNotFound(aggregate_id=aggregate_id)
    return get(aggregate_id)


def hosts_of(aggregate_ids: Iterable[int]) -> dict[int, list[str]]:
    """Names of the hosts in each aggregate, sorted. One query."""
    found: dict[int, list[str]] = {aggregate_id: [] for aggregate_id in aggregate_ids}
    rows = AggregateHost.objects.filter(aggregate_id__in=list(found)).order_by("host__name")
    for aggregate_id, name in rows.values_list("aggregate_id", "host__name"):
        found[aggregate_id].append(name)
    return found


def create(name: str, zone: str | None) -> Aggregate:
    """Add an aggregate. Raises AggregateNameTaken."""
    try:
        with transaction.atomic():
            made = Aggregate.objects.create(name=name, availability_zone=zone)
    except IntegrityError:
        raise AggregateNameTaken(name=name) from None
    return get(made.pk)


def update(aggregate_id: int, changes: dict[str, Any]) -> Aggregate:
    """Change ``name`` and ``availability_zone``. Raises AggregateNotFound, AggregateNameTaken, CannotUpdate."""
    try:
        with transaction.atomic():
            aggregate = _hold(aggregate_id)
            if ZONE in changes:
                _set_zone(aggregate, changes[ZONE])
            if "name" in changes:
                Aggregate.objects.filter(pk=aggregate_id).update(name=changes["name"])
    except IntegrityError:
        raise AggregateNameTaken(name=changes["name"]) from None
    return get(aggregate_id)


def set_metadata(aggregate_id: int, changes: dict[str, str | None]) -> Aggregate:
    """Merge metadata; None takes a key away. The zone is a key like others. Raises AggregateNotFound, CannotUpdate."""
    with transaction.atomic():
        aggregate = _hold(aggregate_id)
        if ZONE in changes:
            _set_zone(aggregate, changes[ZONE])
        merged = aggregate.metadata | {key: value for key, value in changes.items() if key != ZONE}
        kept = {key: value for key, value in merged.items() if value is not None}
        Aggregate.objects.filter(pk=aggregate_id).update(metadata=kept)
    return get(aggregate_id)


def delete(aggregate_id: int) -> None:
    """Remove an empty aggregate. Raises AggregateNotFound, CannotDelete."""
    with transaction.atomic():
        aggregate = _hold(aggregate_id)
        if AggregateHost.objects.filter(aggregate=aggregate).exists():
            raise CannotDelete(aggregate_id=aggregate_id, reason="Host aggregate is not empty")
        aggregate.delete()


def add_host(aggregate_id: int, host_name: str) -> Aggregate:
    """Put a host into an aggregate. Raises HostNotFound, AggregateNotFound, AggregateHostTaken, CannotMoveHost."""
    host = find_host(host_name)
    try:
        with transaction.atomic():
            aggregate = _hold(aggregate_id)
            if aggregate.availability_zone:
                _check_joining(aggregate, host)
            AggregateHost.objects.create(aggregate=aggregate, host=host)
            _tell_scheduler([host.pk])
    except IntegrityError:
        raise AggregateHostTaken(aggregate_id=aggregate_id, host=host_name) from None
    return get(aggregate_id)


def remove_host(aggregate_id: int, host_name: str) -> Aggregate:
    """Take a host out of an aggregate. Raises AggregateNotFound, AggregateHostNotFound, CannotMoveHost."""
    with transaction.atomic():
        aggregate = _hold(aggregate_id)
        member = AggregateHost.objects.filter(aggregate=aggregate, host__name=host_name).first()
        if member is None:
            raise AggregateHostNotFound(host=host_name, aggregate_id=aggregate_id)
        if aggregate.availability_zone:
            _hold_hosts([member.host_id])
            after = _zones_elsewhere(aggregate, [member.host_id])
            _refuse_moving(aggregate, host_name, member.host_id, aggregate.availability_zone, next(iter(after), None))
        member.delete()
        _tell_scheduler([member.host_id])
    return get(aggregate_id)


# --- zones


def _zones_elsewhere(aggregate: Aggregate, host_ids: Iterable[str]) -> set[str]:
    """Zones that hosts have by other aggregates."""
    others = AggregateHost.objects.filter(host_id__in=list(host_ids)).exclude(aggregate=aggregate)
    return {zone for zone in others.values_list("aggregate__availability_zone", flat=True) if zone}


def _check_joining(aggregate: Aggregate, host: Host) -> None:
    _hold_hosts([host.pk])
    before = _zones_elsewhere(aggregate, [host.pk])
    conflicting = sorted(before - {aggregate.availability_zone or ""})
    if conflicting:
        reason = f"One or more hosts already in availability zone(s) {conflicting}"
        raise CannotMoveHost(aggregate_id=aggregate.pk, reason=reason)
    _refuse_moving(aggregate, host.name, host.pk, next(iter(before), None), aggregate.availability_zone)


def _refuse_moving(aggregate: Aggregate, name: str, host_id: str, old: str | None, new: str | None) -> None:
    """Servers do not change their zone. Raises CannotMoveHost when the host's zone would change under some."""
    default = conf().default_availability_zone
    old, new = old or default, new or default
    servers = 0 if old == new else Instance.objects.alive().on(host_id).count()
    if servers:
        reason = (
            f"the availability zone of host {name} would change from '{old}' to '{new}', but it already has {servers} "
            f"instance(s). Move them away from this host, or shelve and unshelve them, then try again"
        )
        raise CannotMoveHost(aggregate_id=aggregate.pk, reason=reason)


def _set_zone(aggregate: Aggregate, zone: str | None) -> None:
    if not zone:
        reason = f"Aggregate {aggregate.name} does not support empty named availability zone"
        raise CannotUpdate(aggregate_id=aggregate.pk, reason=reason)
    host_ids = list(AggregateHost.objects.filter(aggregate=aggregate).values_list("host_id", flat=True))
    _hold_hosts(host_ids)
    conflicting = sorted(_zones_elsewhere(aggregate, host_ids) - {zone})
    if conflicting:
        reason = f"One or more hosts already in availability zone(s) {conflicting}"
        raise CannotUpdate(aggregate_id=aggregate.pk, reason=reason)
    if zone != aggregate.availability_zone and Instance.objects.alive().filter(host_id__in=host_ids).exists():
        raise CannotUpdate(aggregate_id=aggregate.pk, reason="One or more hosts contain instances in this zone")
    Aggregate.objects.filter(pk=aggregate.pk).update(availability_zone=zone)
    _tell_scheduler(host_ids)


def _hold_hosts(host_ids: Iterable[str]) -> None:
    """Two changes to one host's zones wait for each other: the update holds the hosts' rows."""
    Host.objects.filter(pk__in=sorted(host_ids)).update(updated_at=Now())


def _tell_scheduler(host_ids: Iterable[str]) -> None:
    """Zones are columns of its table, which is refreshed by change."""
    Host.objects.filter(pk__in=list(host_ids)).update(changed_at=Now())
