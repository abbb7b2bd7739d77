"""Groups of users, to which roles can be granted."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from computecloud.core.ids import new_hex
from integrations.identity.models.domain import Domain


class Group(models.Model):
    """A named set of users of one domain."""

    id = models.CharField(primary_key=True, max_length=64, default=new_hex)
    name = models.CharField(max_length=64)
    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="groups")
    description = models.TextField(blank=True, default="")
    extra = models.JSONField(default=dict, blank=True)  # a client's own properties; nothing here reads them
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)
        constraints = (models.UniqueConstraint(fields=("domain", "name"), name="group_name_in_domain"),)

    def __str__(self) -> str:
        return self.name


class GroupMember(models.Model):
    """One user's place in one group."""

    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")

    class Meta:
        constraints = (models.UniqueConstraint(fields=("group", "user"), name="member_once_per_group"),)

    def __str__(self) -> str:
        return f"{self.user_id} in {self.group_id}"
