"""``manage.py audit``: compares the books with each other and says what does not agree."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from instances.audit import findings


class Command(BaseCommand):
    """Exit 0 when all agrees. Open operations may make passing differences: ask again when the cloud is idle."""

    help = "Compare servers, allocations, quotas, operations and ports; print what does not agree."

    def handle(self, *_args: Any, **_options: Any) -> None:
        found = findings()
        for line in found:
            self.stdout.write(line)
        if found:
            raise CommandError(f"{len(found)} findings")
        self.stdout.write("all agrees")
