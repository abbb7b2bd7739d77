"""Which member of a server group is on which host. What a policy promises is held by constraints, not by care."""

from __future__ import annotations

from django.db import models


class GroupPlacement(models.Model):
    """One member. Anti-affinity: a host has the slots 0 .. ``max_server_per_host`` - 1 and no two members share one.

    ``is_hard`` is true for anti-affinity alone; the soft policies only count, and affinity has a ``GroupHome``.
    """

    group_id = models.CharField(max_length=36)
    host_id = models.CharField(max_length=36)
    consumer_id = models.CharField(max_length=64)
    slot = models.IntegerField(default=0)
    is_hard = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["group_id", "consumer_id"], name="one_placement_per_member"),
            models.UniqueConstraint(
                fields=["group_id", "host_id", "slot"],
                condition=models.Q(is_hard=True),
                name="hard_anti_affinity",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.consumer_id} of {self.group_id} on {self.host_id}"


class GroupHome(models.Model):
    """The one host of a group with the policy affinity, as long as it has members there."""

    group_id = models.CharField(primary_key=True, max_length=36)
    host_id = models.CharField(max_length=36)
    members = models.IntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(members__gte=0), name="group_members_not_negative")]

    def __str__(self) -> str:
        return f"{self.group_id} on {self.host_id}"
