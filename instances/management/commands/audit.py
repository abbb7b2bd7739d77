"""``manage.py audit``: compares the books with each other, says what does not agree, and mends it when asked."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from instances.audit import drifts, findings


class Command(BaseCommand):
    """Exit 0 when all agrees. Open operations may make passing differences: ask again when the cloud is idle."""

    help = "Compare servers, allocations, quotas, operations, states and ports; print what does not agree."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--fix", action="store_true", help="set right what needs no person to decide")

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["fix"]:
            for drift in drifts():
                self.stdout.write(f"{'mended' if drift.set_right() else 'left'}: {drift.text}")
        found = findings()
        for line in found:
            self.stdout.write(line)
        if found:
            raise CommandError(f"{len(found)} findings")
        self.stdout.write("all agrees")
