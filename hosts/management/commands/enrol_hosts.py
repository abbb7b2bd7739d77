"""`manage.py enrol_hosts`: makes compute hosts known and writes the identity file each one's agent needs.

For hosts on the machine of the database; others come in with a one-time token through the conductor.
"""

from __future__ import annotations

import json
import os
import sys
import tomllib
from argparse import ArgumentParser
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.db.models import Max

from hosts.models import Agent, Host
from hosts.models.agent import digest


@dataclass(frozen=True, slots=True)
class NewHost:
    """One host as asked for. Hosts that name the same ``agent`` share one credential: one process stands for them."""

    name: str
    driver: str
    agent: str
    driver_options: dict[str, Any] = field(default_factory=dict)


class Command(BaseCommand):
    """Idempotent: a host that is known and has its file keeps uuid and secret."""

    help = "Enrol hosts given as JSON on standard input: [{name, driver, agent, driver_options}]."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--folder", type=Path, required=True, help="identity files go to FOLDER/NAME/identity.toml")
        parser.add_argument("--conductor-url", required=True)

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            wanted = [NewHost(**one) for one in json.load(sys.stdin)]
        except (ValueError, TypeError) as problem:
            raise CommandError(f"standard input: {problem}") from problem
        credentials: dict[str, tuple[Agent, str]] = {}
        for new in wanted:
            path: Path = options["folder"] / new.name / "identity.toml"
            with transaction.atomic():
                host, secret, made = enrol(new, path, credentials)
            write(path, new, host.id, secret, options["conductor_url"])
            if made:
                self.stdout.write(f"{new.name} {host.id}")


def enrol(new: NewHost, path: Path, credentials: dict[str, tuple[Agent, str]]) -> tuple[Host, str, bool]:
    """The host's row and its agent's secret; whether the row was made now. ``credentials``: agents seen so far."""
    host = Host.objects.select_related("agent").filter(name=new.name, deleted_at__isnull=True).first()
    secret = tomllib.loads(path.read_text())["secret"] if path.exists() else ""
    if host is not None and host.agent.knows(secret):
        credentials.setdefault(new.agent, (host.agent, secret))
        return host, secret, False
    agent, secret = credentials.get(new.agent) or _credential(host)
    credentials[new.agent] = (agent, secret)
    if host is not None:  # its file was lost: it gets a new credential, and keeps its identity
        Host.objects.filter(pk=host.pk).update(agent=agent)
        return host, secret, False
    number = (Host.objects.aggregate(last=Max("number"))["last"] or 0) + 1
    return Host.objects.create(name=new.name, number=number, agent=agent, driver=new.driver), secret, True


def _credential(host: Host | None) -> tuple[Agent, str]:
    agent, secret = Agent.enrol()
    if host is None:
        return agent, secret
    Agent.objects.filter(pk=host.agent_id).update(secret_hash=digest(secret))
    agent.delete()
    return host.agent, secret


def write(path: Path, new: NewHost, uuid: str, secret: str, conductor_url: str) -> None:
    """The identity file, readable by its owner only, in one move."""
    values: dict[str, Any] = {
        "uuid": uuid, "name": new.name, "secret": secret, "conductor_url": conductor_url, "driver": new.driver,
    }  # fmt: skip
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    lines += ["", "[driver_options]", *(f"{key} = {json.dumps(value)}" for key, value in new.driver_options.items())]
    text = "\n".join(lines) + "\n"
    if path.exists() and path.read_text() == text:
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
    fresh.replace(path)
