"""What may be claimed of a host's inventories: as the host reports them, unless its aggregates say otherwise.

One home: an aggregate's ratio or reservation is in ``Inventory.capacity``, which claims and filters compare with. Where
several aggregates of a host speak, the least ratio and the largest reservation hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from django.db.models import F

from hosts.models import AggregateHost, Inventory
from hosts.models.inventory import NextChange
from hosts.offers import Offer
from hosts.resource_classes import DISK_GB, MEMORY_MB, VCPU

RATIOS = {VCPU: "cpu_allocation_ratio", MEMORY_MB: "ram_allocation_ratio", DISK_GB: "disk_allocation_ratio"}
RESERVED = {VCPU: "reserved_host_cpus", MEMORY_MB: "reserved_host_memory_mb", DISK_GB: "reserved_host_disk_mb"}
KEYS = frozenset({*RATIOS.values(), *RESERVED.values()})
UNITS = {DISK_GB: 1024}  # of the key, in one of the class's
Metadata = list[Mapping[str, str]]


def write(host_id: str, offers: Iterable[Offer]) -> None:
    """The host reports this. In the transaction that has written the host's row, so that nobody else writes too."""
    metadata = _metadata_of([host_id]).get(host_id, [])
    known = {row.resource_class: row for row in Inventory.objects.filter(host_id=host_id)}
    for offer in offers:
        _write(known.get(offer.resource_class), host_id, offer, metadata)


def refresh(host_ids: Iterable[str]) -> None:
    """Aggregates of these hosts changed. In the transaction that has written the hosts' rows."""
    ids = sorted(host_ids)
    metadata = _metadata_of(ids)
    for row in Inventory.objects.filter(host_id__in=ids, resource_class__in=RATIOS).order_by("host_id"):
        reported = Offer(row.resource_class, row.total, row.own_reserved, row.own_ratio)
        _write(row, row.host_id, reported, metadata.get(row.host_id, []))


def _write(row: Inventory | None, host_id: str, reported: Offer, metadata: Metadata) -> None:
    """Create or change the inventory; one that says the same already is left alone."""
    offer = effective(reported, metadata)
    facts = {
        "total": offer.total,
        "reserved": offer.reserved,
        "ratio": offer.ratio,
        "own_reserved": reported.reserved,
        "own_ratio": reported.ratio,
        "capacity": Inventory.capacity_of(offer.total, offer.reserved, offer.ratio),
    }
    if row is None:
        Inventory.objects.create(
            host_id=host_id, resource_class=offer.resource_class, change=NextChange(), **facts
        )
    elif any(getattr(row, name) != value for name, value in facts.items()):
        Inventory.objects.filter(pk=row.pk).update(generation=F("generation") + 1, change=NextChange(), **facts)


def effective(reported: Offer, metadata: Metadata) -> Offer:
    """The offer as the host's aggregates want it. What is no number there is passed over."""
    name = reported.resource_class
    ratios = _numbers(metadata, RATIOS.get(name, ""), 1)
    reserved = _numbers(metadata, RESERVED.get(name, ""), UNITS.get(name, 1))
    return replace(
        reported,
        ratio=min(ratios, default=reported.ratio),
        reserved=min(-int(-max(reserved) // 1), reported.total) if reserved else reported.reserved,
    )


def _numbers(metadata: Metadata, key: str, unit: int) -> list[float]:
    found = []
    for one in metadata:
        try:
            number = float(one[key]) / unit
        except (KeyError, ValueError):
            continue
        if 0 <= number < float("inf"):
            found.append(number)
    return found


def _metadata_of(host_ids: list[str]) -> dict[str, Metadata]:
    """What the aggregates of each host say."""
    found: dict[str, Metadata] = {}
    rows = AggregateHost.objects.filter(host_id__in=host_ids).values_list("host_id", "aggregate__metadata")
    for host_id, metadata in rows:
        found.setdefault(host_id, []).append(metadata)
    return found
