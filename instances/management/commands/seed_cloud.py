"""`manage.py seed_cloud`: the rows a new cloud starts with. Run again, it adds what is missing and changes nothing."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from instances.models import Flavor
from integrations.identity import bootstrap
from operations.models import QuotaGate

# Nova's classic sizes: id, name, processors, memory in MB, disk in GB.
CLASSIC = (
    ("1", "m1.tiny", 1, 512, 1),
    ("2", "m1.small", 1, 2048, 20),
    ("3", "m1.medium", 2, 4096, 40),
    ("4", "m1.large", 4, 8192, 80),
    ("5", "m1.xlarge", 8, 16384, 160),
)
BENCH = (("bench", "bench.tiny", 1, 64, 1),)
# High, not absent: the gates are passed and counted as in any cloud.
BENCH_QUOTAS = {
    "instances": 100_000,
    "cores": 200_000,
    "ram_mb": 100_000_000,
    "key_pairs": 10_000,
    "server_groups": 10_000,
    "server_group_members": 10_000,
}


class Command(BaseCommand):
    """Projects, users, roles and flavors; with --fake also the benchmark's flavor and quotas."""

    help = "Make the projects, users, roles and flavors of a new cloud. Reads passwords as JSON from standard input."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--demo", action="store_true", help="projects admin and demo, flavors m1.*")
        parser.add_argument("--fake", action="store_true", help="and what the benchmark needs: bench.tiny, high quotas")
        parser.add_argument(
            "--passwords-from-stdin",
            action="store_true",
            help='read {"admin": "...", "demo": "..."} from standard input',
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        if not (options["demo"] or options["fake"]):
            raise CommandError("say what to seed: --demo or --fake")
        passwords: dict[str, str | None] = json.load(sys.stdin) if options["passwords_from_stdin"] else {}
        try:
            made = bootstrap.ensure(passwords)
        except bootstrap.WellKnownPassword as problem:
            raise CommandError(str(problem)) from problem
        flavors = add_flavors([*CLASSIC, *(BENCH if options["fake"] else ())])
        if options["fake"]:
            for project_id in made.project_ids.values():
                raise_quotas(project_id)
        if flavors:
            self.stdout.write(f"flavors: {', '.join(flavors)}")
        if made.passwords:
            self.stdout.write(f"users: {', '.join(sorted(made.passwords))}")


def add_flavors(wanted: list[tuple[str, str, int, int, int]]) -> list[str]:
    """Make the flavors whose id and name are both free. Returns their names."""
    made: list[str] = []
    with transaction.atomic():
        for flavor_id, name, vcpus, ram_mb, disk_gb in wanted:
            if Flavor.objects.filter(pk=flavor_id).exists() or Flavor.objects.filter(name=name).exists():
                continue
            Flavor.objects.create(id=flavor_id, name=name, vcpus=vcpus, ram_mb=ram_mb, disk_gb=disk_gb)
            made.append(name)
    return made


def raise_quotas(project_id: str) -> None:
    """Give a project the benchmark's limits where it has none of its own."""
    with transaction.atomic():
        for resource, limit in BENCH_QUOTAS.items():
            gate, _ = QuotaGate.objects.get_or_create(project_id=project_id, resource=resource)
            QuotaGate.objects.filter(pk=gate.pk, limit__isnull=True).update(limit=limit)
