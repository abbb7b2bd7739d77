"""Which member of a server group is on which host. Hard anti-affinity is the unique constraint."""

from __future__ import annotations

from django.db import models


class GroupPlacement(models.Model):
    """``slot`` is 0 for one member per host; with ``max_server_per_host`` n the slots are 0..n-1."""

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
