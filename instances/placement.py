"""From a server to a PlacementRequest."""

from __future__ import annotations

from collections.abc import Sequence

from instances.models import Instance
from instances.models.server_group import ServerGroup
from operations.models import Operation
from scheduling import hints
from scheduling.request import Group, PlacementRequest


def to_request(instance: Instance, operation: Operation) -> PlacementRequest:
    """What the scheduler is asked; one-shot wishes live in the operation's arguments."""
    if "flavor" in operation.args:
        instance = instance.with_flavor(operation.args["flavor"])
    left = operation.args.get("left")
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
        excluded_host_ids=frozenset([*operation.args.get("tried", ()), *([left] if left else [])]),
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
        group=group_of(instance),
        trigger=operation.verb,
    )


def group_of(instance: Instance) -> Group | None:
    """The server's group, unless it was removed since."""
    if not instance.server_group_id:
        return None
    group = ServerGroup.objects.filter(pk=instance.server_group_id).first()
    if group is None:
        return None
    return Group(group.id, group.policy, int(group.rules.get("max_server_per_host", 1)))


def hosts_of(instance: Instance, server_ids: Sequence[str]) -> frozenset[str]:
    """Where servers of the same project are. Others' are passed over: nobody moves in with a stranger by its id."""
    rows = Instance.objects.alive().for_project(instance.project_id).filter(id__in=server_ids, host_id__isnull=False)
    return frozenset(str(host_id) for host_id in rows.values_list("host_id", flat=True))
