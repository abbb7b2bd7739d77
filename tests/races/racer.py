"""A process of a race: it reads orders from standard input, one JSON object a line, and answers each with one.

Two of these are schedulers, a third is the referee, who sets the scene and compares the books while they race.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
os.environ["DJANGO_SETTINGS_MODULE"] = "computecloud.settings"

import django

django.setup()

import msgspec
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from computecloud.core.errors import OverQuota
from hosts.models import Agent, Allocation, Host, Inventory
from hosts.models.inventory import NextChange
from operations.models import QuotaGate
from scheduling import claims, groups, service
from scheduling.audit import misplaced_members, unbalanced_inventories
from scheduling.claims import Chosen
from scheduling.models import GroupHome, GroupPlacement
from scheduling.request import Group, PlacementRequest
from scheduling.service import Job, NoValidHost

SLOT = {"VCPU": 1, "MEMORY_MB": 1}


# --- the referee


def make_tables() -> str:
    call_command("migrate", verbosity=0, interactive=False)
    return "ready"


def reset(slots: list[int], limit: int) -> str:
    """A host for each number, with so many slots; a project that may have ``limit`` servers."""
    for table in (GroupPlacement, GroupHome, Allocation, Inventory, Host, Agent, QuotaGate):
        table.objects.all().delete()
    agent, _secret = Agent.enrol()
    until = timezone.now() + timedelta(hours=1)
    for number, count in enumerate(slots):
        host = Host.objects.create(name=f"h{number}", number=number, agent=agent, driver="fake", lease_expires_at=until)
        for name in SLOT:
            Inventory.objects.create(host=host, resource_class=name, total=count, capacity=count, change=NextChange())
    QuotaGate.objects.create(project_id="p", resource="instances", limit=limit)
    return "set"


def check() -> list[str]:
    """What is wrong with the books, at this very moment."""
    return [drift.text for drift in (*unbalanced_inventories(), *misplaced_members())]


def count() -> dict[str, Any]:
    """What is held."""
    return {
        "holders": sorted(Allocation.objects.values_list("consumer_id", flat=True).distinct()),
        "rows": Allocation.objects.count(),
        "quota": QuotaGate.objects.get(project_id="p", resource="instances").used,
        "places": sorted(GroupPlacement.objects.values_list("group_id", "host_id")),
    }


# --- a scheduler


def look() -> str:
    """Read the table now: what is decided later may be decided on an old one."""
    service.forget()
    service.TABLE.refresh()
    return "seen"


def run(jobs: list[dict[str, Any]], how: str, start_ms: float, hold_ms: float) -> list[str]:
    """Place them ``each`` on its own, in one ``pass``, or ``together``. ``hold_ms``: with the claims in hand."""
    time.sleep(start_ms / 1000)

    def commit(_host: Chosen) -> bool:
        time.sleep(hold_ms / 1000)
        return True

    wanted = [Job(_request(job), commit) for job in jobs]
    if how == "together":
        try:
            return [f"host {host.name}" for host in service.place_together(wanted)]
        except NoValidHost:
            return ["none"] * len(jobs)
    if how == "pass":
        answers: list[Any] = service.place_each(wanted)
    else:
        answers = [_alone(job) for job in wanted]
    return [f"host {one.name}" if isinstance(one, Chosen) else "none" for one in answers]


def _alone(job: Job) -> Chosen | None:
    try:
        return service.place(job.request, job.commit)
    except NoValidHost:
        return None


def _request(job: dict[str, Any]) -> PlacementRequest:
    group = Group("g", job["policy"], job["most"]) if job.get("policy") else None
    return PlacementRequest(job["id"], "p", "u", SLOT, group=group)


def take_quota(amounts: list[int], start_ms: float, hold_ms: float) -> list[str]:
    """Take each amount of the project's quota in a transaction of its own."""
    time.sleep(start_ms / 1000)
    found = []
    for amount in amounts:
        try:
            with transaction.atomic():
                QuotaGate.add("p", {"instances": amount})
                time.sleep(hold_ms / 1000)
            found.append("taken")
        except OverQuota:
            found.append("none")
    return found


def release(ids: list[str], grouped: bool, start_ms: float) -> str:
    time.sleep(start_ms / 1000)
    for consumer_id in ids:
        with transaction.atomic():
            claims.release(consumer_id)
            if grouped:
                groups.leave(consumer_id, "g")
    return "gone"


ORDERS = {
    one.__name__: one for one in (make_tables, reset, check, count, look, run, take_quota, release)
}


def main() -> None:
    for line in sys.stdin.buffer:
        order = msgspec.json.decode(line)
        answer = ORDERS[order.pop("do")](**order)
        sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
        sys.stdout.buffer.flush()
    connection.close()


if __name__ == "__main__":
    main()
