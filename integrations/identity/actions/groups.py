"""Groups and who is in them."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Q

from computecloud.core.actor import Actor
from integrations.identity.actions.storing import own_properties, storing
from integrations.identity.authority import domain_for_new, found, group_within
from integrations.identity.errors import EntityNotFound, InvalidReference
from integrations.identity.grants import changed_for
from integrations.identity.models import DEFAULT_DOMAIN_ID, Domain, Group, GroupMember, User
from integrations.identity.tokens import forget_cached

NOT_EXTRA = ("name", "description", "domain_id")


def create(actor: Actor, values: dict[str, Any]) -> Group:
    """A new group. Raises EntityNotFound (domain), Duplicate, ActionForbidden."""
    domain_id = domain_for_new(actor, values.get("domain_id"), "create_group", DEFAULT_DOMAIN_ID)
    found(Domain.objects.all(), "domain", domain_id)
    with storing("group", f"name {values['name']} at domain ID {domain_id}"):
        return Group.objects.create(
            name=values["name"],
            domain_id=domain_id,
            description=values.get("description") or "",
            extra=own_properties(values, NOT_EXTRA),
        )


def update(group: Group, values: dict[str, Any]) -> Group:
    """Raises Duplicate, Invalid."""
    if values.get("domain_id", group.domain_id) != group.domain_id:
        raise InvalidReference(field="domain_id", reason="a group cannot move to another domain")
    changes: dict[str, Any] = {name: values[name] or "" for name in ("name", "description") if name in values}
    changes["extra"] = own_properties(values, NOT_EXTRA, group.extra)
    with storing("group", f"name {values.get('name')} at domain ID {group.domain_id}"):
        Group.objects.filter(id=group.id).update(**changes)
    group.refresh_from_db()
    return group


def delete(group: Group) -> None:
    """End a group; its members lose what it gave them."""
    with transaction.atomic():
        changed_for(Q(memberships__group_id=group.id))
        group.delete()
        forget_cached()


def add(actor: Actor, group: Group, user: User) -> None:
    """Raises ActionForbidden when the group gives more than the caller may give."""
    group_within(actor, group.id, "add_user_to_group")
    with transaction.atomic():
        GroupMember.objects.get_or_create(group=group, user=user)
        changed_for(Q(id=user.id))
        forget_cached()


def remove(actor: Actor, group: Group, user: User) -> None:
    """Raises EntityNotFound when the user is not in the group."""
    group_within(actor, group.id, "remove_user_from_group")
    with transaction.atomic():
        deleted, _ = GroupMember.objects.filter(group=group, user=user).delete()
        if not deleted:
            raise EntityNotFound(kind="user in group", id=user.id)
        changed_for(Q(id=user.id))
        forget_cached()
