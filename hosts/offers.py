"""What a host offers for claims, of what it reports: one inventory per resource class. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from hosts.drivers.specs import HostInventory, NumaCell
from hosts.resource_classes import DISK_GB, MEMORY_MB, PCPU, VCPU, cell_class, device_class, pages


@dataclass(frozen=True, slots=True)
class Offer:
    """``reserved`` is kept for the host itself; the rest times ``ratio`` can be claimed."""

    resource_class: str
    total: int
    reserved: int = 0
    ratio: float = 1.0


def offers_of(found: HostInventory) -> list[Offer]:
    """The three that every host has, and what else there is."""
    always = [
        Offer(VCPU, found.vcpus, 0, found.cpu_ratio),
        Offer(MEMORY_MB, found.ram_mb, found.reserved_ram_mb, found.ram_ratio),
        Offer(DISK_GB, found.disk_gb, found.reserved_disk_gb, found.disk_ratio),
    ]
    dedicated = sum(cell.dedicated for cell in found.numa_cells)
    kinds = Counter(device_class(device.vendor_id, device.product_id) for device in found.pci_devices)
    more = [
        Offer(PCPU, dedicated),
        *(offer for cell in found.numa_cells for offer in _of_cell(cell, found)),
        *(Offer(name, count) for name, count in sorted(kinds.items())),
        *(Offer(name, amount) for name, amount in sorted(found.custom_resources.items())),
    ]
    return always + [offer for offer in more if offer.total > 0]


def _of_cell(cell: NumaCell, found: HostInventory) -> Iterator[Offer]:
    yield Offer(cell_class(cell.id, VCPU), cell.cpus, 0, found.cpu_ratio)
    yield Offer(cell_class(cell.id, PCPU), cell.dedicated)
    yield Offer(cell_class(cell.id, MEMORY_MB), cell.ram_mb, 0, found.ram_ratio)
    for size_kb, count in cell.pages.items():
        yield Offer(cell_class(cell.id, pages(int(size_kb))), count)
