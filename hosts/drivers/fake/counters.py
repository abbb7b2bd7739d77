"""What a simulated guest would have counted: nothing has gone through its devices, as there are none."""

from __future__ import annotations

from hosts.drivers.fake.guests import Guest
from hosts.drivers.specs import Diagnostics, DiskCounters, NicCounters


def of(guest: Guest) -> Diagnostics:
    """A counter for each of its devices, all at zero."""
    return Diagnostics(
        hypervisor="fake",
        memory_mb=guest.ram_mb,
        memory_used_mb=guest.ram_mb,
        cpu_times_ns=(0,) * guest.vcpus,
        disks=tuple(DiskCounters(target) for target in sorted(guest.disks)),
        nics=tuple(NicCounters(f"tap{port_id[:11]}", mac) for port_id, mac in guest.ports.items()),
    )
