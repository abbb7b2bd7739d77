"""Limits for single users inside a project. A project's own limits and use are ``operations.QuotaGate``."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class UserQuota(models.Model):
    """How much of one resource one user may use inside one project; -1 is no limit."""

    project_id = models.CharField(max_length=64)
    user_id = models.CharField(max_length=64)
    resource = models.CharField(max_length=48)  # the names of QuotaGate: instances, cores, ram_mb, ...
    limit = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(name="user_quota_once", fields=["project_id", "user_id", "resource"]),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.project_id}: {self.resource} {self.limit}"
