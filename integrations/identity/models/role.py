"""Roles, what they imply, and who holds them where."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from computecloud.core.ids import new_hex
from integrations.identity.models.domain import Domain
from integrations.identity.models.group import Group
from integrations.identity.models.project import Project


class Role(models.Model):
    """A word that policy rules ask for. A role of a domain (``domain`` set) only serves to imply global ones."""

    id = models.CharField(primary_key=True, max_length=64, default=new_hex)
    name = models.CharField(max_length=255)
    domain = models.ForeignKey(Domain, null=True, blank=True, on_delete=models.CASCADE, related_name="roles")
    description = models.TextField(blank=True, default="")
    options = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(fields=("name",), condition=Q(domain=None), name="role_name_global"),
            models.UniqueConstraint(fields=("domain", "name"), name="role_name_in_domain"),
        )

    def __str__(self) -> str:
        return self.name


class RoleImplication(models.Model):
    """Whoever holds ``prior`` also holds ``implied``."""

    prior = models.ForeignKey(Role, on_delete=models.CASCADE, related_name="implications")
    implied = models.ForeignKey(Role, on_delete=models.CASCADE, related_name="implied_by")

    class Meta:
        constraints = (models.UniqueConstraint(fields=("prior", "implied"), name="implication_once"),)

    def __str__(self) -> str:
        return f"{self.prior_id} implies {self.implied_id}"


class Assignment(models.Model):
    """A role granted to one user or group, on one project, domain or the whole system.

    ``inherited``: granted on a domain or project, it counts on the projects below and not there itself.
    """

    role = models.ForeignKey(Role, on_delete=models.CASCADE, related_name="assignments")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE, related_name="assignments"
    )
    group = models.ForeignKey(Group, null=True, blank=True, on_delete=models.CASCADE, related_name="assignments")
    project = models.ForeignKey(Project, null=True, blank=True, on_delete=models.CASCADE, related_name="assignments")
    domain = models.ForeignKey(Domain, null=True, blank=True, on_delete=models.CASCADE, related_name="assignments")
    system = models.BooleanField(default=False)
    inherited = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(user=None, group__isnull=False) | Q(user__isnull=False, group=None),
                name="assignment_has_one_holder",
            ),
            models.CheckConstraint(
                condition=Q(project__isnull=False, domain=None, system=False)
                | Q(project=None, domain__isnull=False, system=False)
                | Q(project=None, domain=None, system=True, inherited=False),
                name="assignment_has_one_target",
            ),
            # NULLs never collide, so each constraint speaks of its own kind of row only.
            models.UniqueConstraint(fields=("user", "project", "role", "inherited"), name="user_on_project_once"),
            models.UniqueConstraint(fields=("user", "domain", "role", "inherited"), name="user_on_domain_once"),
            models.UniqueConstraint(fields=("group", "project", "role", "inherited"), name="group_on_project_once"),
            models.UniqueConstraint(fields=("group", "domain", "role", "inherited"), name="group_on_domain_once"),
            models.UniqueConstraint(fields=("user", "role"), condition=Q(system=True), name="user_on_system_once"),
            models.UniqueConstraint(fields=("group", "role"), condition=Q(system=True), name="group_on_system_once"),
        )

    def __str__(self) -> str:
        where = self.project_id or self.domain_id or "system"
        return f"{self.role_id} to {self.user_id or self.group_id} on {where}"
