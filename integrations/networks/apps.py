"""The Django app of the Network service."""

from __future__ import annotations

from django.apps import AppConfig

from computecloud.http import policy
from integrations.networks.policies import RULES


class NetworksConfig(AppConfig):
    name = "integrations.networks"
    label = "networks"
    verbose_name = "Networks"

    def ready(self) -> None:
        policy.register(RULES)
