"""What libvirt counts of a running guest, and the interrupt that makes it dump its memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import libvirt

from hosts.drivers.libvirt.domains import live_definition
from hosts.drivers.libvirt.host import LibvirtHost
from hosts.drivers.specs import Diagnostics, DiskCounters, GuestRef, NicCounters, Step

T = TypeVar("T")
KIB_IN_MIB = 1024


def look(host: LibvirtHost, guest_id: str) -> Diagnostics:
    """Everything of one moment. Raises GuestNotFound, Fatal (it does not run)."""
    return host.domains.ask(f"reading the counters of {guest_id}", guest_id, partial(_read, host.platform.virt_type))


def interrupt_steps(host: LibvirtHost, ref: GuestRef) -> Sequence[Step]:
    return [Step("inject_nmi", partial(host.domains.interrupt, ref.id))]


def _read(virt_type: str, domain: libvirt.virDomain) -> Diagnostics:
    definition = live_definition(domain)
    targets = [target.get("dev", "") for target in definition.findall("devices/disk/target")]
    interfaces = [
        (interface.find("target"), interface.find("mac")) for interface in definition.findall("devices/interface")
    ]
    _state, maximum_kb, used_kb, _cpus, _time = domain.info()
    return Diagnostics(
        hypervisor=virt_type,
        memory_mb=maximum_kb // KIB_IN_MIB,
        memory_used_mb=used_kb // KIB_IN_MIB,
        cpu_times_ns=_counted(partial(_processors, domain), ()),
        disks=tuple(filter(None, (_counted(partial(_disk, domain, target), None) for target in targets))),
        nics=tuple(
            filter(
                None,
                (
                    _counted(partial(_nic, domain, target.get("dev", ""), mac.get("address", "")), None)
                    for target, mac in interfaces
                    if target is not None and mac is not None
                ),
            )
        ),
        memory_kb=_counted(lambda: {str(name): int(value) for name, value in domain.memoryStats().items()}, {}),
    )


def _counted(read: Callable[[], T], otherwise: T) -> T:
    """A counter that this hypervisor does not keep is left out, as Nova does."""
    try:
        return read()
    except libvirt.libvirtError:
        return otherwise


def _processors(domain: libvirt.virDomain) -> tuple[int, ...]:
    return tuple(int(cpu[2]) for cpu in domain.vcpus()[0])


def _disk(domain: libvirt.virDomain, target: str) -> DiskCounters | None:
    return DiskCounters(target, *domain.blockStats(target))


def _nic(domain: libvirt.virDomain, device: str, mac: str) -> NicCounters | None:
    return NicCounters(device, mac, *domain.interfaceStats(device))
