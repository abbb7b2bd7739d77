"""A domain: the name space of users, groups and projects."""

from __future__ import annotations

from django.db import models

from computecloud.core.ids import new_hex

DEFAULT_DOMAIN_ID = "default"


class Domain(models.Model):
    """Holds users, groups and projects, their names unique inside it. Disabled, it ends the tokens of all of them."""

    id = models.CharField(primary_key=True, max_length=64, default=new_hex)
    name = models.CharField(max_length=64, unique=True)
    description = models.TextField(blank=True, default="")
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
