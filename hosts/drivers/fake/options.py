"""What the identity file of a fake host may say."""

from __future__ import annotations

import msgspec

from hosts.drivers.specs import NumaCell, PciDevice


class Options(msgspec.Struct, forbid_unknown_fields=True):
    """What the host's identity file may say about a fake host."""

    vcpus: int = 1000
    ram_mb: int = 800 * 1024
    disk_gb: int = 600 * 1024
    arch: str = "x86_64"
    traits: list[str] = []
    cpu_ratio: float = 16.0
    ram_ratio: float = 1.0
    disk_ratio: float = 1.0
    numa_cells: list[NumaCell] = []
    pci_devices: list[PciDevice] = []
    custom_resources: dict[str, int] = {}
    metrics: dict[str, float] = {}
    hypervisor_version: int = 1_000_000
    delays: dict[str, float] = {}  # simulated seconds by step name or "*"
    faults: dict[str, object] = {}  # see fake.faults
    durable: bool = False  # fsync every change
    inspect: bool = False  # make an empty file per disk
    agents: bool = False  # every guest has an agent in it, whatever its image says
    fetch: bool = False  # really fetch images through the ImageSource
