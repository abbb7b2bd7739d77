"""Metadata and tags of a server: what users write on it. Only on servers at rest or running, as in Nova."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import TextField
from django.db.models.functions import Cast, Now

from computecloud.core.actor import Actor
from computecloud.core.errors import Conflict, Invalid, NotFound, OverQuota
from instances import quotas
from instances.errors import InstanceInvalidState, InstanceIsLocked, InstanceNotFound
from instances.models import Instance, InstanceTag
from instances.states import VmState

TRIES = 5
MOST_TAGS = 50
LABELLED = frozenset({VmState.ACTIVE, VmState.PAUSED, VmState.SUSPENDED, VmState.STOPPED})


class MetadataLimitExceeded(OverQuota):
    message = "Maximum number of metadata items exceeds {allowed}"


class MetadataItemNotFound(NotFound):
    message = "Metadata item was not found"


class TagNotFound(NotFound):
    message = "Server {server_id} has no tag '{tag}'"


class TooManyTags(Invalid):
    message = "The number of tags exceeded the per-server limit {limit}"


def check_metadata_size(project_id: str, items: int) -> None:
    """Hold a server's metadata to the project's limit. Raises MetadataLimitExceeded."""
    if not items:
        return
    limit = quotas.limit_of(project_id, "metadata_items")
    if 0 <= limit < items:
        raise MetadataLimitExceeded(allowed=limit)


def _check_state(server: Instance, verb: str) -> None:
    if VmState(server.vm_state) not in LABELLED:
        raise InstanceInvalidState(verb=verb, instance_id=server.id, attribute="vm_state", state=server.vm_state)


def change_metadata(
    actor: Actor, server: Instance, change: Callable[[dict[str, str]], dict[str, str]], verb: str = "update metadata"
) -> dict[str, str]:
    """Compare and swap: ``change`` gets the metadata as it is and returns what it shall be; that is returned.

    Raises InstanceIsLocked, InstanceInvalidState, MetadataLimitExceeded, and what ``change`` raises.
    """
    if server.is_locked and not actor.is_admin:
        raise InstanceIsLocked(instance_id=server.id)
    _check_state(server, verb)
    for _ in range(TRIES):
        with transaction.atomic():
            rows = Instance.objects.alive().filter(id=server.id).annotate(text=Cast("metadata", TextField()))
            seen = rows.values_list("metadata", "text").first()
            if seen is None:
                raise InstanceNotFound(instance_id=server.id)
            wanted = change(dict(seen[0]))
            check_metadata_size(server.project_id, len(wanted))
            if rows.filter(text=seen[1]).update(metadata=wanted, updated_at=Now()):
                return wanted
    raise Conflict(f"Instance {server.id} is being changed by others; try again.")


def without(metadata: dict[str, str], key: str) -> dict[str, str]:
    """The metadata but one item. Raises MetadataItemNotFound."""
    if key not in metadata:
        raise MetadataItemNotFound
    return {name: value for name, value in metadata.items() if name != key}


def tags_of(server: Instance) -> list[str]:
    """In alphabetical order."""
    return list(InstanceTag.objects.filter(instance_id=server.id).values_list("tag", flat=True))


def add_tag(server: Instance, tag: str) -> bool:
    """False when it was there already. Raises InstanceInvalidState, TooManyTags."""
    _check_state(server, "update tag")
    with transaction.atomic():
        present = tags_of(server)
        if tag in present:
            return False
        if len(present) >= MOST_TAGS:
            raise TooManyTags(limit=MOST_TAGS)
        try:
            with transaction.atomic():
                InstanceTag.objects.create(instance_id=server.id, tag=tag)
        except IntegrityError:
            return False  # another request added it first
    return True


def set_tags(server: Instance, tags: Sequence[str]) -> list[str]:
    """Replace all tags. Raises InstanceInvalidState."""
    _check_state(server, "update tags")
    wanted = sorted(set(tags))
    with transaction.atomic():
        rows: Any = InstanceTag.objects.filter(instance_id=server.id)
        rows.exclude(tag__in=wanted).delete()
        missing = [InstanceTag(instance_id=server.id, tag=tag) for tag in wanted]
        InstanceTag.objects.bulk_create(missing, ignore_conflicts=True)
    return wanted


def remove_tag(server: Instance, tag: str) -> None:
    """Raises InstanceInvalidState, TagNotFound."""
    _check_state(server, "delete tag")
    count, _ = InstanceTag.objects.filter(instance_id=server.id, tag=tag).delete()
    if not count:
        raise TagNotFound(server_id=server.id, tag=tag)


def remove_tags(server: Instance) -> None:
    """Raises InstanceInvalidState."""
    _check_state(server, "delete tags")
    InstanceTag.objects.filter(instance_id=server.id).delete()
