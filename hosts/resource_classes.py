"""Names of resource classes. Standard ones are Placement's; those of NUMA cells and PCI devices are made here. Pure."""

from __future__ import annotations

VCPU, PCPU, MEMORY_MB, DISK_GB = "VCPU", "PCPU", "MEMORY_MB", "DISK_GB"
OF_CELLS = "CUSTOM_NUMA"
OF_DEVICES = "CUSTOM_PCI_"


def cell_class(cell: int, kind: str) -> str:
    """What one NUMA cell has of a kind: VCPU, PCPU, MEMORY_MB, or PAGES_<size>KB."""
    return f"{OF_CELLS}{cell}_{kind}"


def pages(size_kb: int) -> str:
    """The kind of huge pages of a size."""
    return f"PAGES_{size_kb}KB"


def device_class(vendor_id: str, product_id: str) -> str:
    """A kind of PCI device, as Nova names it in Placement."""
    return f"{OF_DEVICES}{vendor_id}_{product_id}".upper()
