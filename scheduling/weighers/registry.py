"""The weighers that come with the product, by name; a site's own by dotted path."""

from __future__ import annotations

from scheduling.weighers import (
    build_failure,
    cpu,
    disk,
    hypervisor_version,
    image_properties,
    io_ops,
    metrics,
    num_instances,
    pci,
    ram,
    server_group_soft_affinity,
    server_group_soft_anti_affinity,
)
from scheduling.weighers.base import HostWeigher

IN_TREE: dict[str, type[HostWeigher]] = {
    kind.__name__: kind
    for kind in (
        ram.RAMWeigher,
        cpu.CPUWeigher,
        disk.DiskWeigher,
        io_ops.IoOpsWeigher,
        num_instances.NumInstancesWeigher,
        server_group_soft_affinity.ServerGroupSoftAffinityWeigher,
        server_group_soft_anti_affinity.ServerGroupSoftAntiAffinityWeigher,
        build_failure.BuildFailureWeigher,
        image_properties.ImagePropertiesWeigher,
        hypervisor_version.HypervisorVersionWeigher,
        metrics.MetricsWeigher,
        pci.PCIWeigher,
    )
}
