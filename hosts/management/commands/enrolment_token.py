"""`manage.py enrolment_token`: makes one-time tokens that machines enrol with, and prints them."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from hosts import enrolment

LONGEST_S = 7 * 86400


class Command(BaseCommand):
    """Each token is printed this once, on a line of its own; the database keeps its digest."""

    help = "Make enrolment tokens."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--ttl", type=float, default=3600, metavar="S", help="seconds until it expires (3600)")
        parser.add_argument("--count", type=int, default=1)
        parser.add_argument(
            "--replaces", nargs="*", default=[], metavar="NAME", help="hosts that lost their credential and return"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        if not 0 < options["ttl"] <= LONGEST_S:
            raise CommandError(f"a token lives 1 to {LONGEST_S} seconds")
        enrolment.forget_old_tokens()
        for _ in range(options["count"]):
            self.stdout.write(enrolment.issue(options["ttl"], options["replaces"]))
