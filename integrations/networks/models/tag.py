"""Tags: free words on networks, subnets, ports, routers and security groups."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Tag(models.Model):
    """One word on one row. ``kind`` is the collection's name in URLs, such as ``networks``."""

    kind = models.CharField(max_length=32)
    resource_id = models.CharField(max_length=36)
    tag = models.CharField(max_length=255)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(name="tag_once_per_row", fields=["kind", "resource_id", "tag"]),
        ]
        indexes: ClassVar = [models.Index(name="tag_by_word", fields=["kind", "tag"])]

    def __str__(self) -> str:
        return self.tag
