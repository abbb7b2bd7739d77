"""Hosts and servers as rows, for tests that need them to be there and nothing of them to run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Max
from django.utils import timezone

from hosts.models import DISK_GB, MEMORY_MB, VCPU, Agent, Host, Inventory
from instances.models import Instance
from tests.support.auth import PROJECT_A, user_id


def make_host(name: str = "host-1", *, up: bool = True, **facts: Any) -> Host:
    """A host of 8 processors, 16 GB (512 MB reserved) and 100 GB, heard of just now unless ``up`` is false."""
    agent, _ = Agent.enrol()
    now = timezone.now()
    Agent.objects.filter(pk=agent.pk).update(registered_at=now - timedelta(hours=26, minutes=5))
    agent.refresh_from_db()
    number = (Host.objects.aggregate(last=Max("number"))["last"] or 0) + 1
    lease = now + timedelta(hours=1) if up else now - timedelta(seconds=1)
    known = {"driver": "fake", "hypervisor_type": "fake", "hypervisor_version": 1000, "cpu_info": {"arch": "x86_64"}}
    host = Host.objects.create(
        name=name, number=number, agent=agent, lease_expires_at=lease, last_seen_at=now, **(known | facts)
    )
    for kind, total, reserved, ratio in ((VCPU, 8, 0, 16.0), (MEMORY_MB, 16384, 512, 1.0), (DISK_GB, 100, 0, 1.0)):
        capacity = Inventory.capacity_of(total, reserved, ratio)
        Inventory.objects.create(
            host=host, resource_class=kind, total=total, reserved=reserved, ratio=ratio, capacity=capacity
        )
    return host


def make_server(host: Host | None = None, **facts: Any) -> Instance:
    """A server of 2 processors, 1 GB and 10+5 GB of project A that is on a host, by its row only."""
    known: dict[str, Any] = {
        "project_id": PROJECT_A, "user_id": user_id("member-a"), "name": "web", "hostname": "web", "flavor_id": "1",
        "flavor_name": "m1.small", "vcpus": 2, "ram_mb": 1024, "disk_gb": 10, "ephemeral_gb": 5, "vm_state": "active",
        "status": "ACTIVE",
    }  # fmt: skip
    return Instance.objects.create(host=host, **(known | facts))


def use(host: Host, kind: str, amount: int) -> None:
    """Make some of a host's resource taken."""
    Inventory.objects.filter(host=host, resource_class=kind).update(used=amount)
