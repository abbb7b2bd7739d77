"""Whether rows agree with each other: servers, allocations, quota gates, operations, ports. Reads only."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Sum

from hosts.models import Allocation
from instances.models import Instance
from integrations.networks import facade as networks
from operations.models import Operation, QuotaGate
from scheduling.audit import unbalanced_inventories


def _allocations() -> list[str]:
    """Each living server with a host holds exactly its flavor there; nobody else holds anything.

    A server that is being deleted is passed over: its host may not be clean yet.
    """
    leaving = set(Operation.objects.open().filter(verb="delete").values_list("subject_id", flat=True))
    placed = Instance.objects.alive().filter(host__isnull=False).exclude(id__in=leaving)
    wanted = {(one.id, one.host_id, name, n) for one in placed for name, n in one.claims().items()}
    rows = Allocation.objects.exclude(consumer_id__in=leaving)
    held = set(rows.values_list("consumer_id", "host_id", "resource_class", "amount"))
    lacking = [f"server {row[0]} does not hold its {row[3]} {row[2]}" for row in wanted - held]
    return lacking + [f"{row[0]} holds {row[3]} {row[2]} without a right" for row in held - wanted]


def _quotas() -> list[str]:
    counted: dict[str, dict[str, Any]] = {
        row["project_id"]: dict(row)
        for row in Instance.objects.alive()
        .order_by()
        .values("project_id")
        .annotate(instances=Count("id"), cores=Sum("vcpus"), ram_mb=Sum("ram_mb"))
    }
    wrong = []
    for gate in QuotaGate.objects.filter(resource__in=("instances", "cores", "ram_mb"), project_id__regex="^[^:]*$"):
        is_used = counted.get(gate.project_id, {}).get(gate.resource, 0)
        if gate.used != is_used:
            wrong.append(f"quota {gate.resource} of {gate.project_id}: used {gate.used}, counted {is_used}")
    return wrong


def _operations() -> list[str]:
    """The open operation a server names is open, and is the only one."""
    named = dict(Instance.objects.filter(open_operation__isnull=False).values_list("open_operation", "id"))
    open_ones = dict(Operation.objects.open().filter(exclusive=True).values_list("id", "subject_id"))
    return [f"server {named[key]} waits for an operation that is over" for key in named.keys() - open_ones.keys()]


def _ports() -> list[str]:
    """No port is held by a server that is gone."""
    holders = networks.servers_with_ports()
    alive = set(Instance.objects.alive().filter(id__in=holders).values_list("id", flat=True))
    return [f"ports are held by server {server_id}, which is gone" for server_id in holders - alive]


def findings() -> list[str]:
    """Everything that does not agree; empty is well."""
    return [*unbalanced_inventories(), *_allocations(), *_quotas(), *_operations(), *_ports()]
