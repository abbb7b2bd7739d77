"""The app's registration with Django."""

from __future__ import annotations

from collections import Counter

from django.apps import AppConfig, apps

from computecloud.http import policy
from instances import policies_native, policies_servers, policies_side
from scheduling.columns import sources


class InstancesConfig(AppConfig):
    name = "instances"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        policy.register(policies_side.RULES)
        policy.register(policies_servers.RULES)
        policy.register(policies_native.RULES)
        sources.register_image_properties(self.count_image_properties)

    @staticmethod
    def count_image_properties() -> sources.ImageProperties:
        """For the scheduler: one query over the servers that have hosts and images with properties."""
        rows = apps.get_model("instances", "Instance").objects.alive().filter(host_id__isnull=False)
        found: dict[tuple[str, str], Counter[str]] = {}
        for host_id, properties in rows.exclude(image_properties={}).values_list("host_id", "image_properties"):
            for name, value in properties.items():
                found.setdefault((name, str(value)), Counter())[host_id] += 1
        return found
