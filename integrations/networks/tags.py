"""Tags on rows of any kind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from integrations.networks.errors import TagLimitReached
from integrations.networks.models import Tag

MOST_TAGS = 50


def of(kind: str, ids: Iterable[str]) -> dict[str, list[str]]:
    """The tags of many rows; one query."""
    found: dict[str, list[str]] = defaultdict(list)
    rows = Tag.objects.filter(kind=kind, resource_id__in=list(ids)).order_by("tag")
    for resource_id, tag in rows.values_list("resource_id", "tag"):
        found[resource_id].append(tag)
    return found


def replace(kind: str, resource_id: str, words: Sequence[str]) -> None:
    """Exactly these tags. Raises TagLimitReached."""
    wanted = list(dict.fromkeys(words))
    if len(wanted) > MOST_TAGS:
        raise TagLimitReached(limit=MOST_TAGS)
    Tag.objects.filter(kind=kind, resource_id=resource_id).delete()
    Tag.objects.bulk_create([Tag(kind=kind, resource_id=resource_id, tag=word) for word in wanted])


def add(kind: str, resource_id: str, words: Sequence[str]) -> None:
    """These tags too. Raises TagLimitReached."""
    held = Tag.objects.filter(kind=kind, resource_id=resource_id).values_list("tag", flat=True)
    if len(set(held) | set(words)) > MOST_TAGS:
        raise TagLimitReached(limit=MOST_TAGS)
    Tag.objects.bulk_create(
        [Tag(kind=kind, resource_id=resource_id, tag=word) for word in set(words)], ignore_conflicts=True
    )
