"""The app's registration with Django."""

from __future__ import annotations

from django.apps import AppConfig

from computecloud.http import policy
from instances import policies_native, policies_servers, policies_side


class InstancesConfig(AppConfig):
    name = "instances"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        policy.register(policies_side.RULES)
        policy.register(policies_servers.RULES)
        policy.register(policies_native.RULES)
