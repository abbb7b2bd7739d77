"""Places of server groups: hard policies are held by the database, however many schedulers race.

Anti-affinity: a place is a row with a slot, and no two rows share group, host and slot. Affinity: the group's home is
one row; who wants to join it counts itself in on that very host, or has lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress

from operations import sql
from scheduling.claims import ClaimLost
from scheduling.models import GroupHome, GroupPlacement
from scheduling.request import Group

AFFINITY, ANTI_AFFINITY = "affinity", "anti-affinity"
PLACE = """INSERT INTO scheduling_groupplacement (group_id, host_id, consumer_id, slot, is_hard)
           VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"""
FOUND_HOME = """INSERT INTO scheduling_grouphome (group_id, host_id, members) VALUES (%s, %s, 0)
                ON CONFLICT DO NOTHING"""
COME_HOME = "UPDATE scheduling_grouphome SET members = members + 1 WHERE group_id = %s AND host_id = %s"
LEAVE_HOME = "UPDATE scheduling_grouphome SET members = members - 1 WHERE group_id = %s AND host_id = %s"
CLOSE_HOME = "DELETE FROM scheduling_grouphome WHERE group_id = %s AND members = 0"


def members_of(group_ids: Iterable[str]) -> dict[str, Counter[str]]:
    """For each group how many members each host has (by its id)."""
    found: dict[str, Counter[str]] = {group_id: Counter() for group_id in group_ids}
    for group_id, host_id in GroupPlacement.objects.filter(group_id__in=found).values_list("group_id", "host_id"):
        found[group_id][host_id] += 1
    return found


def take_place(group: Group, consumer_id: str, host_id: str) -> None:
    """A place for the consumer, in the transaction of its claim. Raises ClaimLost when the policy forbids the host."""
    if group.policy == ANTI_AFFINITY:
        known = group.members.get(host_id, 0)
        slots = sorted(range(group.max_per_host), key=lambda slot: (slot < known, slot))  # those likely free first
        if not any(sql.update(PLACE, (group.id, host_id, consumer_id, slot, True)) for slot in slots):
            raise ClaimLost(f"group {group.id}")
        return
    if group.policy == AFFINITY and not sql.update(COME_HOME, (group.id, host_id)):
        sql.update(FOUND_HOME, (group.id, host_id))
        if not sql.update(COME_HOME, (group.id, host_id)):
            raise ClaimLost(f"group {group.id}")
    if not sql.update(PLACE, (group.id, host_id, consumer_id, 0, False)):
        raise ClaimLost(f"group {group.id}")


def stand_in(consumer_id: str, holder_id: str, group: Group) -> None:
    """Somebody else holds the place while its member moves: two hosts count for it until it has settled.

    The home of a group with affinity is one host: whoever is alone in it takes it along, and gives the place up.
    """
    place = GroupPlacement.objects.filter(group_id=group.id, consumer_id=consumer_id)
    if group.policy == AFFINITY and GroupHome.objects.filter(group_id=group.id, members=1).exists():
        leave(consumer_id, group.id)
    else:
        place.update(consumer_id=holder_id)


def return_to(consumer_id: str, holder_id: str, group: Group, host_id: str) -> None:
    """The member is where it was before ``stand_in``. Its guest is there already, so nobody refuses it."""
    leave(consumer_id, group.id)
    if GroupPlacement.objects.filter(group_id=group.id, consumer_id=holder_id).update(consumer_id=consumer_id):
        return
    with suppress(ClaimLost):
        take_place(group, consumer_id, host_id)


def leave(consumer_id: str, group_id: str) -> None:
    """Give the place up. Idempotent: only who deletes the row counts itself out."""
    place = GroupPlacement.objects.filter(group_id=group_id, consumer_id=consumer_id).first()
    if place is None or not GroupPlacement.objects.filter(pk=place.pk).delete()[0]:
        return
    if not place.is_hard and sql.update(LEAVE_HOME, (group_id, place.host_id)):  # no row: not an affinity group
        sql.update(CLOSE_HOME, (group_id,))
