"""Secrets that belong to users: application credentials (logins for programs) and opaque credentials."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from computecloud.core.ids import new_hex
from integrations.identity.models.project import Project
from integrations.identity.models.role import Role


class ApplicationCredential(models.Model):
    """A login for a program: some of a user's roles on one project, under a secret of its own.

    Restricted (the default), it cannot make or delete further application credentials.
    """

    id = models.CharField(primary_key=True, max_length=64, default=new_hex)
    name = models.CharField(max_length=255)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="application_credentials")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="application_credentials")
    secret_hash = models.CharField(max_length=255)
    description = models.TextField(blank=True, default="")
    unrestricted = models.BooleanField(default=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    roles = models.ManyToManyField(Role, related_name="application_credentials")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)
        constraints = (models.UniqueConstraint(fields=("user", "name"), name="application_credential_name_per_user"),)

    def __str__(self) -> str:
        return self.name


class Credential(models.Model):
    """An opaque secret kept for a user, such as an EC2 key pair or a certificate. ``blob_sealed`` rests encrypted."""

    id = models.CharField(primary_key=True, max_length=64, default=new_hex)
    type = models.CharField(max_length=255)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="credentials")
    project = models.ForeignKey(Project, null=True, blank=True, on_delete=models.CASCADE, related_name="credentials")
    blob_sealed = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.id
