"""Quota as a gate: limit and used per project and resource, moved by conditional UPDATE only, so it cannot drift."""

from __future__ import annotations

import time
from collections.abc import Mapping

from django.db import IntegrityError, models, transaction

from computecloud.conf import conf
from computecloud.core.errors import OverQuota
from operations import sql

UNLIMITED = 2**62
DEFAULTS = "class:default"
TAKE = """UPDATE operations_quotagate SET used = used + %s WHERE project_id = %s AND resource = %s
          AND ("limit" = -1 OR used + %s <= COALESCE("limit", %s))"""
ADD = """UPDATE operations_quotagate SET used = CASE WHEN used + %s < 0 THEN 0 ELSE used + %s END
         WHERE project_id = %s AND resource = %s"""
_FRESH_S = 2.0
_class_limits: tuple[float, dict[str, int | None]] = (float("-inf"), {})


def default_limit(resource: str) -> int:
    """Of a project that has no limit of its own: the ``default`` class's, else the setting's. -1 is no limit.

    The class's rows are read at most every two seconds: they change by an administrator's hand only.
    """
    global _class_limits
    read_at, limits = _class_limits
    if time.monotonic() - read_at > _FRESH_S:
        limits = dict(QuotaGate.objects.filter(project_id=DEFAULTS).values_list("resource", "limit"))
        _class_limits = (time.monotonic(), limits)
    row = limits.get(resource)
    return row if row is not None else getattr(conf(), f"quota_{resource}", -1)


def forget_defaults() -> None:
    """Read the class's limits anew at the next question."""
    global _class_limits
    _class_limits = (float("-inf"), {})


class QuotaGate(models.Model):
    """``limit`` null: the default. Rows of project ``class:default`` hold the defaults that an administrator set."""

    project_id = models.CharField(max_length=64)
    resource = models.CharField(max_length=48)  # instances, cores, ram_mb, key_pairs, ...
    limit = models.BigIntegerField(null=True, blank=True)
    used = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project_id", "resource"], name="one_gate_per_project_and_resource"),
            models.CheckConstraint(condition=models.Q(used__gte=0), name="quota_used_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.project_id} {self.resource}"

    @classmethod
    def add(cls, project_id: str, amounts: Mapping[str, int]) -> None:
        """Take what is asked of each resource, in sorted order, or raise OverQuota. In the caller's transaction."""
        resources = sorted(amounts)
        taken = sql.each([cls._taking(project_id, resource, amounts[resource]) for resource in resources])
        refused = {}
        for resource in [one for one, rows in zip(resources, taken, strict=True) if not rows]:
            cls._ensure(project_id, resource)
            if not sql.update(*cls._taking(project_id, resource, amounts[resource])):
                refused[resource] = amounts[resource]
        if refused:
            raise cls._refusal(project_id, refused)

    @classmethod
    def _taking(cls, project_id: str, resource: str, amount: int) -> sql.Statement:
        default = default_limit(resource)
        room = UNLIMITED if default < 0 else default
        if amount > 0:
            return TAKE, (amount, project_id, resource, amount, room)
        return ADD, (amount, amount, project_id, resource)

    @classmethod
    def _ensure(cls, project_id: str, resource: str) -> None:
        try:
            with transaction.atomic():
                cls.objects.get_or_create(project_id=project_id, resource=resource)
        except IntegrityError:
            return  # another request made it first

    @classmethod
    def _refusal(cls, project_id: str, amounts: Mapping[str, int]) -> OverQuota:
        """All that there is too little of, as Nova words it."""
        gates = cls.objects.filter(project_id=project_id, resource__in=amounts).order_by("resource")
        told = [(gate, default_limit(gate.resource) if gate.limit is None else gate.limit) for gate in gates]
        return OverQuota(
            resource=", ".join(gate.resource.removesuffix("_mb") for gate, _limit in told),
            requested=", ".join(str(amounts[gate.resource]) for gate, _limit in told),
            used=", ".join(str(gate.used) for gate, _limit in told),
            limit=", ".join(str(limit) for _gate, limit in told),
        )

    @classmethod
    def give_back(cls, project_id: str, amounts: Mapping[str, int]) -> None:
        """Return what was taken. Once: the caller's own guarded update decides that."""
        sql.each([(ADD, (-amounts[one], -amounts[one], project_id, one)) for one in sorted(amounts)])
