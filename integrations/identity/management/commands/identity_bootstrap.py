"""``manage.py identity_bootstrap``: the first domain, roles, projects and users. Safe to run again."""

from __future__ import annotations

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from integrations.identity.bootstrap import WellKnownPassword, ensure


class Command(BaseCommand):
    """Passwords come from options or from OS_BOOTSTRAP_ADMIN_PASSWORD and OS_BOOTSTRAP_DEMO_PASSWORD; else random."""

    help = "Make the default domain, the roles, projects admin and demo, and their users. Idempotent."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--admin-password", default=os.environ.get("OS_BOOTSTRAP_ADMIN_PASSWORD"))
        parser.add_argument("--demo-password", default=os.environ.get("OS_BOOTSTRAP_DEMO_PASSWORD"))

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = ensure({"admin": options["admin_password"], "demo": options["demo_password"]})
        except WellKnownPassword as problem:
            raise CommandError(str(problem)) from problem
        for name, project_id in done.project_ids.items():
            self.stdout.write(f"project {name} {project_id}")
        for name, user_id in done.user_ids.items():
            self.stdout.write(f"user {name} {user_id}")
        for name, secret in done.passwords.items():
            self.stdout.write(f"password {name} {secret}")
