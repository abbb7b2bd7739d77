"""``manage.py crashpoints``: the places where tests let processes die, one a line."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from tasks import control, crashpoints
from tasks.agent import runtime
from tasks.conductor import views

HOLDERS = (control, runtime, views)  # importing them, and the verbs, declares every point


class Command(BaseCommand):
    """They are inert unless the environment arms them: see ``computecloud/core/failpoints.py``."""

    help = "List every crash point of the product."

    def handle(self, *_args: Any, **_options: Any) -> None:
        for name in crashpoints.all_points():
            self.stdout.write(name)
