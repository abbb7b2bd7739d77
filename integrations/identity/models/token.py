"""Tokens. Only the SHA-256 of a token rests here; whoever reads the table cannot log in with it."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from integrations.identity.models.credential import ApplicationCredential
from integrations.identity.models.domain import Domain
from integrations.identity.models.project import Project


class Token(models.Model):
    """A login that has not ended. Revoking deletes the row; users and scopes take their tokens with them.

    ``id`` is the audit id that clients and logs may see. ``roles`` is what the scope gave when ``grants_version`` was
    the user's; it is worked out anew when the user's number has moved on.
    """

    id = models.CharField(primary_key=True, max_length=32)
    chain_id = models.CharField(max_length=32)  # audit id of the first token of a chain of re-scopings
    digest = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="tokens")
    project = models.ForeignKey(Project, null=True, blank=True, on_delete=models.CASCADE, related_name="tokens")
    domain = models.ForeignKey(Domain, null=True, blank=True, on_delete=models.CASCADE, related_name="tokens")
    system = models.BooleanField(default=False)
    application_credential = models.ForeignKey(
        ApplicationCredential, null=True, blank=True, on_delete=models.CASCADE, related_name="tokens"
    )
    methods = models.JSONField(default=list)
    roles = models.JSONField(default=list)  # [{"id": ..., "name": ...}], implied ones included
    grants_version = models.PositiveIntegerField(default=0)
    password_version = models.PositiveIntegerField(default=0)
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ("-issued_at",)
        indexes = (models.Index(fields=("chain_id",), name="token_chain"),)

    def __str__(self) -> str:
        return self.id
