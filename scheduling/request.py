"""What is to be placed: amounts, wishes and limits. Everything a filter or weigher may ask about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Group:
    """The consumer's server group. ``members`` counts the others of it on each host (by the host's id)."""

    id: str
    policy: str  # affinity | anti-affinity | soft-affinity | soft-anti-affinity
    max_per_host: int = 1  # of anti-affinity
    members: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GuestCell:
    """One NUMA cell that the guest wants: processors that float, processors of its own, memory, its page size."""

    cpus: int
    pinned: int
    ram_mb: int
    page_kb: int = 0  # 0: whatever the host has

    @property
    def pages(self) -> int:
        return -(-self.ram_mb * 1024 // self.page_kb) if self.page_kb else 0


@dataclass(frozen=True, slots=True)
class PlacementRequest:
    """One consumer. ``resources`` maps a resource class to a positive amount (VCPU, MEMORY_MB, DISK_GB, ...)."""

    consumer_id: str
    project_id: str
    user_id: str
    resources: Mapping[str, int]
    availability_zone: str | None = None
    forced_host: str | None = None  # a host's name; filters still apply
    excluded_host_ids: frozenset[str] = frozenset()
    flavor_name: str = ""
    image_id: str = ""
    image_properties: Mapping[str, str] = field(default_factory=dict)
    extra_specs: Mapping[str, str] = field(default_factory=dict)
    hints: Mapping[str, Any] = field(default_factory=dict)
    group: Group | None = None
    same_host_ids: frozenset[str] | None = None  # where the servers of the hint ``same_host`` are; None: no such hint
    different_host_ids: frozenset[str] = frozenset()
    required_traits: frozenset[str] = frozenset()
    forbidden_traits: frozenset[str] = frozenset()
    cells: tuple[GuestCell, ...] = ()
    trigger: str = "create"
    alternates: tuple[str, ...] = ()  # hosts' ids that an earlier decision kept for a failed build: tried first

    def amount(self, resource_class: str) -> int:
        return self.resources.get(resource_class, 0)
