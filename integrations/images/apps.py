"""The embedded image service."""

from django.apps import AppConfig

from computecloud.http import policy
from integrations.images.policies import RULES


class ImagesConfig(AppConfig):
    """Registers the policy table."""

    name = "integrations.images"
    label = "images"
    verbose_name = "Images"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        policy.register(RULES)
