"""``manage.py oddities``: lists what hosts report and no row explains; has a host remove an unknown guest."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models.functions import Now

from hosts.models import Oddity
from operations.models import Event


class Command(BaseCommand):
    """A condemned guest is removed by its host at its next look (30 s), after the host's journal has taken note."""

    help = "List guests that no server explains and disks that are lost; --remove GUEST has its host remove a guest."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--remove", metavar="GUEST", help="id of an unknown guest")

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["remove"]:
            self._condemn(options["remove"])
            return
        for row in Oddity.objects.select_related("host"):
            wanted = ", is being removed" if row.condemned_at else ""
            seen = row.first_seen_at.strftime("%Y-%m-%dT%H:%M:%SZ")
            self.stdout.write(f"{row.host.name}  {row.guest_id}  {row.kind} ({row.detail}), since {seen}{wanted}")

    def _condemn(self, guest_id: str) -> None:
        rows = Oddity.objects.filter(guest_id=guest_id, kind=Oddity.Kind.UNKNOWN_GUEST)
        if not rows.filter(condemned_at__isnull=True).update(condemned_at=Now()) and not rows.exists():
            raise CommandError(f"no host reports an unknown guest {guest_id}")
        for row in rows.select_related("host"):
            Event.note("host.oddity.condemned", "host", row.host_id, guest_id=guest_id)
            self.stdout.write(f"{row.host.name} removes {guest_id} at its next look")
