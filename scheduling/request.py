"""What is to be placed: amounts, wishes and limits. Everything a filter or weigher may ask about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class PlacementRequest:
    """One consumer. ``resources`` maps a resource class to a positive amount (VCPU, MEMORY_MB, DISK_GB)."""

    consumer_id: str
    project_id: str
    user_id: str
    resources: Mapping[str, int]
    availability_zone: str | None = None
    forced_host: str | None = None  # a host's name; filters still apply
    excluded_host_ids: frozenset[str] = frozenset()
    image_properties: Mapping[str, str] = field(default_factory=dict)
    extra_specs: Mapping[str, str] = field(default_factory=dict)
    hints: Mapping[str, Any] = field(default_factory=dict)
    trigger: str = "create"

    def amount(self, resource_class: str) -> int:
        return self.resources.get(resource_class, 0)

    def summary(self) -> dict[str, Any]:
        """What a stored decision keeps of it."""
        return {
            "trigger": self.trigger,
            "resources": dict(self.resources),
            "availability_zone": self.availability_zone,
            "forced_host": self.forced_host,
            "excluded": sorted(self.excluded_host_ids),
        }
