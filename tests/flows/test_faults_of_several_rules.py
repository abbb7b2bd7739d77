"""A server that one change is not enough for: its fault names all that one host would need."""

from __future__ import annotations

import random
import re
from pathlib import Path

from instances.actions.create import FlavorSnapshot
from instances.models import Instance
from operations.models import QuotaGate
from tests.flows.conftest import Member
from tests.support.stage import Stage

NEEDED = re.compile(r"In all: (\d+) of vCPUs or less .*, (\d+) MB of RAM or less .*, (\d+) GB of disk or less")


def boot(stage: Stage, member: Member, vcpus: int, ram_mb: int, disk_gb: int) -> Instance:
    flavor = FlavorSnapshot("9", "m1", vcpus=vcpus, ram_mb=ram_mb, disk_gb=disk_gb)
    [server] = member.creates(flavor=flavor)
    stage.settle()
    server.refresh_from_db()
    return server


def test_all_that_is_missing_is_named_and_would_be_enough(db: None, tmp_path: Path, member: Member) -> None:
    stage, draw = Stage(tmp_path, hosts=2, cpu_ratio=1.0), random.Random(5)
    for resource in ("cores", "instances", "ram_mb"):
        QuotaGate.objects.create(project_id=member.actor.project_id or "", resource=resource, limit=-1)
    for _ in range(3):
        server = boot(stage, member, draw.randint(9, 90), draw.randint(8193, 10**5), draw.randint(101, 10**4))
        found = NEEDED.search(server.fault_message)
        assert server.host_id is None and found, server.fault_message
        assert server.fault_message.startswith("No valid host was found. RamFilter: ")
        vcpus, ram_mb, disk_gb = (int(number) for number in found.groups())
        small = boot(stage, member, min(vcpus, 2), min(ram_mb, 2000), min(disk_gb, 20))
        assert small.host_id
    server = boot(stage, member, 90, 10**5, 10**4)
    found = NEEDED.search(server.fault_message)
    assert found
    assert boot(stage, member, *(int(number) for number in found.groups())).host_id


def test_one_change_that_is_enough_is_told_alone(db: None, tmp_path: Path, member: Member) -> None:
    stage = Stage(tmp_path, hosts=2, cpu_ratio=1.0)
    server = boot(stage, member, 1, 8193, 1)
    assert "(1 MB missing); it would fit with 8192 MB of RAM or less" in server.fault_message
    assert "In all" not in server.fault_message
