"""``manage.py examine``: what the product finds when it looks at itself, as JSON for ``./cloud doctor``."""

from __future__ import annotations

from typing import Any

import msgspec
from django.core.management.base import BaseCommand

from tasks.examination import examine


class Command(BaseCommand):
    help = "Look at hosts, queues, books, oddities and images; print findings as JSON."
    requires_system_checks = ()

    def handle(self, *_args: Any, **_options: Any) -> None:
        self.stdout.write(msgspec.json.encode(list(examine())).decode())
