"""Devices handed through to the guest."""

from __future__ import annotations

from collections.abc import Iterator

from hosts.resource_classes import OF_DEVICES
from scheduling.filters.resource import AmountFilter
from scheduling.request import PlacementRequest


class PciPassthroughFilter(AmountFilter):
    """The host has enough free PCI devices of the kind that the flavor's alias names (``pci_passthrough:alias``)."""

    def wanted(self, request: PlacementRequest) -> Iterator[tuple[str, int]]:
        for name in sorted(request.resources):
            if name.startswith(OF_DEVICES):
                yield name, request.resources[name]

    def spoken(self, resource_class: str, amount: int) -> str:
        return f"{amount} PCI devices {resource_class.removeprefix(OF_DEVICES).replace('_', ':').lower()}"

    def unit_of(self, resource_class: str) -> str:
        return "devices"
