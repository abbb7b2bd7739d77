"""``manage.py restore_mode begin|check|end``: the two ends of the time in which a restored database meets its hosts."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from tasks import restoring


class Command(BaseCommand):
    """``check`` and ``end`` fail while something is undecided; ``end --force`` does not."""

    help = "Prepare a restored database, say what is undecided, let its open work go on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["begin", "check", "end"])
        parser.add_argument("--force", action="store_true", help="end it although something is undecided")

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["what"] == "begin":
            restoring.begin()
            return
        found = restoring.undecided()
        for line in found:
            self.stdout.write(line)
        if found and not options["force"]:
            raise CommandError(f"{len(found)} undecided")
        if options["what"] == "end":
            restoring.renew_deadlines()
