"""The Django app of the embedded Identity service."""

from __future__ import annotations

from django.apps import AppConfig

from computecloud.http import policy
from integrations.identity.policies import RULES


class IdentityConfig(AppConfig):
    """Label ``identity``; owns AUTH_USER_MODEL."""

    name = "integrations.identity"
    label = "identity"
    verbose_name = "Identity"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        policy.register(RULES)
