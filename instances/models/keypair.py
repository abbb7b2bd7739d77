"""Key pairs: the public halves that users put into their servers. Private halves are never stored."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from computecloud.core.clock import utcnow


class KeyPair(models.Model):
    """One public key (``ssh``) or client certificate (``x509``) of one user, known by its name.

    It belongs to a user, not to a project. Servers keep a copy, so it may be deleted at any time.
    """

    class Kind(models.TextChoices):
        SSH = "ssh"
        X509 = "x509"

    id = models.BigAutoField(primary_key=True)
    user_id = models.CharField(max_length=255)
    name = models.CharField(max_length=255)
    type = models.CharField(max_length=4, choices=Kind, default=Kind.SSH)
    fingerprint = models.CharField(max_length=255)
    public_key = models.TextField()
    created_at = models.DateTimeField(default=utcnow, editable=False)

    class Meta:
        ordering: ClassVar = ["user_id", "name"]
        constraints: ClassVar = [
            models.UniqueConstraint(name="key_pair_name_once_per_user", fields=["user_id", "name"]),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.fingerprint})"
