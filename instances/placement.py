"""From a server to a PlacementRequest."""

from __future__ import annotations

from collections.abc import Sequence

from instances.models import Instance
from operations.models import Operation
from scheduling import hints
from scheduling.request import PlacementRequest


def to_request(instance: Instance, operation: Operation) -> PlacementRequest:
    """What the scheduler is asked; one-shot wishes live in the operation's arguments."""
    wishes = instance.wishes()
    together = hints.servers_of(instance.scheduler_hints, "same_host")
    apart = hints.servers_of(instance.scheduler_hints, "different_host")
    return PlacementRequest(
        consumer_id=instance.id,
        project_id=instance.project_id,
        user_id=instance.user_id,
        resources=wishes.resources,
        availability_zone=instance.pinned_zone,
        forced_host=operation.args.get("forced_host"),
        excluded_host_ids=frozenset(operation.args.get("tried", ())),
        flavor_name=instance.flavor_name,
        image_id=instance.image_id,
        image_properties=instance.image_properties,
        extra_specs=instance.extra_specs,
        hints=instance.scheduler_hints,
        same_host_ids=hosts_of(instance, together) if together else None,
        different_host_ids=hosts_of(instance, apart) if apart else frozenset(),
        required_traits=wishes.required_traits,
        forbidden_traits=wishes.forbidden_traits,
        cells=wishes.cells,
        trigger=operation.verb,
    )


def hosts_of(instance: Instance, server_ids: Sequence[str]) -> frozenset[str]:
    """Where servers of the same project are. Others' are passed over: nobody moves in with a stranger by its id."""
    rows = Instance.objects.alive().for_project(instance.project_id).filter(id__in=server_ids, host_id__isnull=False)
    return frozenset(str(host_id) for host_id in rows.values_list("host_id", flat=True))
