"""From a server to a PlacementRequest."""

from __future__ import annotations

from instances.models import Instance
from operations.models import Operation
from scheduling.request import PlacementRequest


def to_request(instance: Instance, operation: Operation) -> PlacementRequest:
    """What the scheduler is asked; one-shot wishes live in the operation's arguments."""
    return PlacementRequest(
        consumer_id=instance.id,
        project_id=instance.project_id,
        user_id=instance.user_id,
        resources=instance.claims(),
        availability_zone=instance.pinned_zone,
        forced_host=operation.args.get("forced_host"),
        excluded_host_ids=frozenset(operation.args.get("tried", ())),
        image_properties=instance.image_properties,
        extra_specs=instance.extra_specs,
        hints=instance.scheduler_hints,
        trigger=operation.verb,
    )
