"""A project: what owns servers, images, networks and quota."""

from __future__ import annotations

from django.db import models

from computecloud.core.ids import new_hex
from integrations.identity.models.domain import Domain


class Project(models.Model):
    """The tenant. A top-level project's parent is its domain; others name a project of the same domain."""

    id = models.CharField(primary_key=True, max_length=64, default=new_hex)
    name = models.CharField(max_length=64)
    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="projects")
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    description = models.TextField(blank=True, default="")
    enabled = models.BooleanField(default=True)
    extra = models.JSONField(default=dict, blank=True)  # a client's own properties; nothing here reads them
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)
        constraints = (models.UniqueConstraint(fields=("domain", "name"), name="project_name_in_domain"),)

    def __str__(self) -> str:
        return self.name


class ProjectTag(models.Model):
    """A word on a project, to filter lists by."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="tags")
    name = models.CharField(max_length=255)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("project", "name"), name="tag_once_per_project"),)

    def __str__(self) -> str:
        return self.name
