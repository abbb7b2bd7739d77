"""What a simulated host offers: what its options say."""

from __future__ import annotations

from hosts.drivers.fake.options import Options
from hosts.drivers.specs import HostInventory


def of(options: Options, *, running: int) -> HostInventory:
    """``running``: how many guests run."""
    return HostInventory(
        vcpus=options.vcpus,
        ram_mb=options.ram_mb,
        disk_gb=options.disk_gb,
        disk_free_gb=options.disk_gb,
        hypervisor_type="fake",
        hypervisor_version=options.hypervisor_version,
        arch=options.arch,
        cpu_info={
            "arch": options.arch,
            "model": "simulated",
            "vendor": "fake",
            "features": [],
            "topology": {},
        },
        traits=tuple(options.traits),
        machine_types=("pc", "q35"),
        running_vms=running,
        cpu_ratio=options.cpu_ratio,
        ram_ratio=options.ram_ratio,
        disk_ratio=options.disk_ratio,
        supported=((options.arch, "fake", "hvm"),),
        numa_cells=tuple(options.numa_cells),
        pci_devices=tuple(options.pci_devices),
        custom_resources=options.custom_resources,
        metrics=options.metrics,
    )
