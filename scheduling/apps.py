"""The app's registration with Django."""

from __future__ import annotations

from django.apps import AppConfig

from computecloud.http import policy
from scheduling.policies import RULES


class SchedulingConfig(AppConfig):
    name = "scheduling"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        policy.register(RULES)
