"""What users do with server groups."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from computecloud.core.actor import Actor
from computecloud.core.errors import Forbidden, NotFound, OverQuota
from instances import quotas
from instances.models.instance import Instance
from instances.models.server_group import ServerGroup


class ServerGroupNotFound(NotFound):
    message = "Instance group {group_id} could not be found."


class TooManyServerGroups(OverQuota):
    message = "Quota exceeded, too many server groups."


class TooManyMembers(OverQuota):
    message = "Quota exceeded, too many servers in group"


def get(actor: Actor, group_id: str) -> ServerGroup:
    """A group the actor may see. Raises ServerGroupNotFound."""
    group = ServerGroup.objects.for_actor(actor).filter(pk=group_id).first()
    if group is None:
        raise ServerGroupNotFound(group_id=group_id)
    return group


def create(actor: Actor, name: str, policy: str, rules: dict[str, int]) -> ServerGroup:
    """Add a group to the actor's project. Raises TooManyServerGroups."""
    if actor.project_id is None:
        raise Forbidden
    with transaction.atomic():
        limit = quotas.user_limits(actor.project_id, actor.user_id)["server_groups"]
        quotas.lock(actor.project_id, "server_groups")
        if 0 <= limit <= ServerGroup.objects.filter(project_id=actor.project_id).count():
            raise TooManyServerGroups
        return ServerGroup.objects.create(
            project_id=actor.project_id, user_id=actor.user_id, name=name, policy=policy, rules=rules
        )


def delete(actor: Actor, group_id: str) -> None:
    """Remove a group; its servers stay. Raises ServerGroupNotFound."""
    count, _ = ServerGroup.objects.for_actor(actor).filter(pk=group_id).delete()
    if not count:
        raise ServerGroupNotFound(group_id=group_id)


def members_of(group_ids: Iterable[str]) -> dict[str, list[str]]:
    """Ids of the servers in each group, deleted ones left out."""
    members: dict[str, list[str]] = {group_id: [] for group_id in group_ids}
    rows = Instance.objects.alive().filter(server_group_id__in=list(members)).order_by("created_at", "pk")
    for group_id, instance_id in rows.values_list("server_group_id", "pk"):
        members[str(group_id)].append(instance_id)
    return members


def admit(actor: Actor, group_id: str, amount: int = 1) -> ServerGroup:
    """The group that ``amount`` new servers want to join, if there is room for them by the project's quota.

    In the caller's transaction, before it writes the servers: a second caller waits until the first has ended.
    Raises ServerGroupNotFound, TooManyMembers.
    """
    group = get(actor, group_id)
    limit = quotas.limit_of(group.project_id, "server_group_members")
    quotas.lock(group.project_id, "server_group_members")
    if 0 <= limit < Instance.objects.alive().filter(server_group_id=group.pk).count() + amount:
        raise TooManyMembers
    return group
