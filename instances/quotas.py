"""Quotas as the API tells them: limits of projects, classes and users, and what is in use.

The counting itself is done by ``operations.QuotaGate``; here are the limits, and the look at them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db import transaction
from django.db.models import Count, F, Sum

from computecloud.core.errors import Invalid, OverQuota
from instances.models.instance import Instance
from instances.models.quota import UserQuota
from instances.models.server_group import ServerGroup
from operations import sql
from operations.models import QuotaGate
from operations.models.quota_gate import DEFAULTS, default_limit, forget_defaults

RESOURCES = (
    "instances", "cores", "ram", "metadata_items", "key_pairs", "server_groups", "server_group_members",
    "injected_files", "injected_file_content_bytes", "injected_file_path_bytes",
    "fixed_ips", "floating_ips", "security_groups", "security_group_rules",
)  # fmt: skip
"""Nova's names, in Nova's order."""

UNCOUNTED_DEFAULTS = {"injected_files": 5, "injected_file_content_bytes": 10240, "injected_file_path_bytes": 255}
"""Limits of things that are never counted and have no setting; what is missing here has no limit."""

OF_USER = 'SELECT resource, "limit" FROM instances_userquota WHERE project_id = %s AND user_id = %s'

LONGEST_OWNER = 64
"""Characters in a gate's owner: a project id, ``user:`` and a user id, ``class:`` and a class name."""


class LimitTooLow(Invalid):
    message = "Quota limit {limit} for {resource} must be greater than or equal to already used and reserved {least}."


class LimitTooHigh(Invalid):
    message = "Quota limit {limit} for {resource} must be less than or equal to {most}."


def gate_name(resource: str) -> str:
    """Nova's name of a resource → the gate's, which carries its unit."""
    return "ram_mb" if resource == "ram" else resource


def api_name(gate: str) -> str:
    return "ram" if gate == "ram_mb" else gate


def class_owner(name: str) -> str:
    """The gates' owner for a quota class; ``default`` is the one that counts."""
    return f"class:{name}"


def _builtin(resource: str) -> int:
    return (
        UNCOUNTED_DEFAULTS.get(resource, -1) if resource in UNCOUNTED_DEFAULTS else default_limit(gate_name(resource))
    )


def _stored(owner: str) -> dict[str, int]:
    rows = QuotaGate.objects.filter(project_id=owner, limit__isnull=False).values_list("resource", "limit")
    return {api_name(resource): int(limit) for resource, limit in rows if limit is not None}


def defaults() -> dict[str, int]:
    """Limits of a project that has none of its own."""
    stored = _stored(DEFAULTS)
    return {resource: stored.get(resource, _builtin(resource)) for resource in RESOURCES}


def class_limits(name: str) -> dict[str, int]:
    """Limits of a quota class; the defaults where it says nothing."""
    return defaults() | _stored(class_owner(name))


def project_limits(project_id: str) -> dict[str, int]:
    """Limits of a project by Nova's resource names; -1 is no limit."""
    return defaults() | _stored(project_id)


def user_limits(project_id: str, user_id: str) -> dict[str, int]:
    """Limits of a user inside a project; the project's where there are none of his own."""
    return project_limits(project_id) | _of_user(project_id, user_id)


def limit_of(project_id: str, resource: str) -> int:
    """One limit of a project, by Nova's name; -1 is no limit."""
    own = QuotaGate.objects.filter(project_id=project_id, resource=gate_name(resource)).values_list("limit", flat=True)
    limit = own.first()
    return _builtin(resource) if limit is None else int(limit)


def _of_user(project_id: str, user_id: str) -> dict[str, int]:
    rows = sql.rows(OF_USER, (project_id, user_id))
    return {api_name(resource): int(limit) for resource, limit in rows}


def in_use(project_id: str, user_id: str | None = None) -> dict[str, int]:
    """How much is in use of what is counted; 0 for the rest, as Nova says it."""
    used = dict.fromkeys(RESOURCES, 0)
    groups = ServerGroup.objects.filter(project_id=project_id)
    if user_id is None:
        rows = QuotaGate.objects.filter(project_id=project_id).values_list("resource", "used")
        used |= {api_name(resource): int(count) for resource, count in rows if api_name(resource) in used}
    else:
        groups = groups.filter(user_id=user_id)
        used |= _servers_of(project_id, user_id)
    return used | {"server_groups": groups.count()}


def _servers_of(project_id: str, user_id: str, besides: str = "") -> dict[str, int]:
    counted = Instance.objects.counted().filter(project_id=project_id, user_id=user_id).exclude(id=besides)
    sums = counted.aggregate(instances=Count("pk"), cores=Sum("vcpus"), ram=Sum("ram_mb"))
    return {name: int(value or 0) for name, value in sums.items()}


def check_user(project_id: str, user_id: str, wanted: Mapping[str, int], *, besides: str = "") -> None:
    """Hold a user to his own limits, if he has any: ``wanted`` more of each resource (Nova's names).

    ``besides``: a server that is not counted with the others.
    Raises OverQuota. One query when there are no such limits; in the transaction that takes from the project's gates.
    """
    limits = _of_user(project_id, user_id)
    if not any(limits.get(resource, -1) >= 0 for resource in wanted):
        return
    used = _servers_of(project_id, user_id, besides)
    for resource, amount in sorted(wanted.items()):
        limit = limits.get(resource, -1)
        if 0 <= limit < used.get(resource, 0) + amount:
            raise OverQuota(resource=resource, requested=amount, used=used.get(resource, 0), limit=limit)


def lock(owner: str, resource: str) -> None:
    """Let one transaction at a time count rows of ``resource`` for ``owner``: updating the gate's row holds it."""
    owner = owner[:LONGEST_OWNER]
    gate = QuotaGate.objects.filter(project_id=owner, resource=resource)
    if not gate.update(used=F("used")):
        QuotaGate.objects.get_or_create(project_id=owner, resource=resource)
        gate.update(used=F("used"))


def suppose(project_id: str, user_id: str, more: Mapping[str, int]) -> None:
    """Raise limits of a project and of a user in it by so much; in a transaction that the caller rolls back."""
    limits = project_limits(project_id)
    _store(project_id, {name: limits[name] + amount for name, amount in more.items() if limits[name] >= 0})
    for resource, limit in _of_user(project_id, user_id).items():
        if limit >= 0 and resource in more:
            own = UserQuota.objects.filter(project_id=project_id, user_id=user_id, resource=gate_name(resource))
            own.update(limit=limit + more[resource])


def _infinite(limit: int) -> float:
    return float("inf") if limit < 0 else limit


def _check_bounds(project_id: str, user_id: str | None, wanted: Mapping[str, int]) -> None:
    """Not below what is used or promised to users; for a user not above what the project has left."""
    limits = project_limits(project_id)
    used = in_use(project_id, user_id)
    for resource, limit in wanted.items():
        rows = UserQuota.objects.filter(project_id=project_id, resource=gate_name(resource), limit__gte=0)
        promised = sum(rows.exclude(user_id=user_id or "").values_list("limit", flat=True))
        least = used[resource] if user_id else max(used[resource], promised)
        if _infinite(limit) < least:
            raise LimitTooLow(limit=limit, resource=resource, least=least)
        most = limits[resource] - promised if user_id and limits[resource] >= 0 else -1
        if _infinite(limit) > _infinite(most):
            raise LimitTooHigh(limit=limit, resource=resource, most=most)


def set_limits(project_id: str, wanted: Mapping[str, int], *, user_id: str | None = None, force: bool = False) -> None:
    """Change limits of a project, or of a user in it. ``force`` lets them fall below what is used.

    Raises LimitTooLow, LimitTooHigh.
    """
    with transaction.atomic():
        if not force:
            _check_bounds(project_id, user_id, wanted)
        if user_id is None:
            _store(project_id, wanted)
            return
        for resource, limit in sorted(wanted.items()):
            UserQuota.objects.update_or_create(
                project_id=project_id, user_id=user_id, resource=gate_name(resource), defaults={"limit": limit}
            )


def _store(owner: str, wanted: Mapping[str, int]) -> None:
    for resource, limit in sorted(wanted.items()):
        QuotaGate.objects.update_or_create(project_id=owner, resource=gate_name(resource), defaults={"limit": limit})


def set_class(name: str, wanted: Mapping[str, int]) -> None:
    """Change the limits of a quota class."""
    with transaction.atomic():
        _store(class_owner(name), wanted)
    forget_defaults()


def clear(project_id: str, user_id: str | None = None) -> None:
    """Back to the defaults: a project with all its users, or one user of it."""
    with transaction.atomic():
        users = UserQuota.objects.filter(project_id=project_id)
        if user_id is not None:
            users.filter(user_id=user_id).delete()
            return
        users.delete()
        QuotaGate.objects.filter(project_id=project_id).update(limit=None)


def only(values: Mapping[str, int], without: Iterable[str]) -> dict[str, int]:
    """Values but those of some resources."""
    hidden = frozenset(without)
    return {resource: value for resource, value in values.items() if resource not in hidden}
