"""One libvirt host: its parts, put together once, for the verbs beside this file."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hosts.drivers.base import ImageSource
from hosts.drivers.libvirt.connection import Connection
from hosts.drivers.libvirt.disks import Disks
from hosts.drivers.libvirt.domain_xml import Platform
from hosts.drivers.libvirt.domains import Domains
from hosts.drivers.libvirt.image_cache import ImageCache
from hosts.drivers.libvirt.options import Options
from hosts.drivers.libvirt.ports import Ports, Wires
from hosts.drivers.libvirt_kvm_probe import kvm_works
from hosts.drivers.quarantine import Quarantine


@dataclass(frozen=True, slots=True)
class LibvirtHost:
    """What a verb needs: where guests' files are, and who does what with them."""

    options: Options
    state_dir: Path
    connection: Connection
    domains: Domains
    disks: Disks
    quarantine: Quarantine
    cache: ImageCache
    images: ImageSource | None
    ports: Ports
    platform: Platform

    def config_drive(self, guest_id: str) -> Path:
        return self.disks.folder(guest_id) / "disk-config"

    def rescue_drive(self, guest_id: str) -> Path:
        """The config drive while it is rescued: it holds that rescue's password."""
        return self.disks.folder(guest_id) / "disk-config-rescue"

    def console_log(self, guest_id: str) -> Path:
        return self.disks.folder(guest_id) / "console.log"


def assemble(options: Options, images: ImageSource | None, state_dir: Path, wires: Wires | None = None) -> LibvirtHost:
    """Nothing is opened yet; KVM is probed."""
    state_dir = state_dir.resolve()
    connection = Connection(options.uri, calls=options.calls, deadline_s=options.deadline_s)
    quarantine = Quarantine(state_dir / "quarantine")
    disks = Disks(state_dir / "instances", ephemeral_format=options.ephemeral_format, quarantine=quarantine)
    ceiling = options.image_cache_gb * 2**30
    cache = ImageCache(state_dir / "images", images, ceiling_bytes=ceiling, pinned=disks.bases)
    return LibvirtHost(
        options=options,
        state_dir=state_dir,
        connection=connection,
        domains=Domains(connection, options),
        disks=disks,
        quarantine=quarantine,
        cache=cache,
        images=images,
        ports=Ports(disks, wires),
        platform=_platform(options, state_dir),
    )


def _platform(options: Options, state_dir: Path) -> Platform:
    virt_type: str = options.virt_type
    if virt_type == "auto":
        virt_type = "kvm" if options.arch == "x86_64" and kvm_works() else "qemu"
    cache: str = options.disk_cache
    if cache == "auto":
        cache = "none" if _can_do_direct_io(state_dir) else "writeback"
    return Platform(
        virt_type=virt_type,
        machine=options.machine,
        cpu_model=options.cpu_model,
        disk_cache=cache,
        hotplug_ports=options.hotplug_ports,
    )


def _can_do_direct_io(folder: Path) -> bool:
    with tempfile.NamedTemporaryFile(dir=folder, prefix="direct-io-") as probe:
        try:
            os.close(os.open(probe.name, os.O_RDONLY | os.O_DIRECT))
        except OSError:
            return False
    return True
