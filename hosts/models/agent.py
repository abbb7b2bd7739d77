"""The credential of an agent process (one for a real host, one for many simulated ones), and the token that buys it."""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256

from django.db import models
from django.db.models.functions import Now

from computecloud.core.ids import new_uuid


def first_form() -> list[int]:
    return [1]


def digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


class Agent(models.Model):
    """Who may speak for its hosts. ``nonce`` changes at each start of the process: an older twin is refused (F33)."""

    id = models.CharField(primary_key=True, max_length=36, default=new_uuid, editable=False)
    secret_hash = models.CharField(max_length=64)  # empty: retired, no secret fits
    key_hash = models.CharField(max_length=64, blank=True)  # of the public key that its certificate holds
    certified_until = models.DateTimeField(null=True, blank=True)
    worker = models.CharField(max_length=64, blank=True)  # its name among the workers, as Flower shows it
    # kind of broker → what that broker checks the agent's password against; the password is known to the agent only
    broker_verifiers = models.JSONField(default=dict, blank=True)
    nonce = models.CharField(max_length=64, blank=True)
    version = models.CharField(max_length=32, blank=True)
    reads = models.JSONField(default=first_form)  # forms of operations that its program can do
    created_at = models.DateTimeField(db_default=Now())
    registered_at = models.DateTimeField(null=True, blank=True)
    twin_seen_at = models.DateTimeField(null=True, blank=True)  # another process with its identity was refused

    def __str__(self) -> str:
        return self.id

    def knows(self, secret: str) -> bool:
        return hmac.compare_digest(self.secret_hash, digest(secret))

    @classmethod
    def enrol(cls) -> tuple[Agent, str]:
        """A new agent and its secret, which is shown this once."""
        secret = secrets.token_urlsafe(32)
        return cls.objects.create(secret_hash=digest(secret)), secret


class EnrolmentToken(models.Model):
    """Buys one agent's credential, once. ``agent`` is who used it: the answer may have been lost on its way."""

    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, null=True, blank=True)
    replaces = models.JSONField(default=list, blank=True)  # names of living hosts that may be enrolled anew

    def __str__(self) -> str:
        return self.token_hash[:8]
