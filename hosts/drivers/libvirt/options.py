"""What a host's identity file may say about the libvirt driver (``driver_options``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec


class Options(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """All optional. Sizes carry their unit."""

    uri: str = "qemu:///system"
    virt_type: Literal["auto", "kvm", "qemu", "test"] = "auto"  # auto: kvm only when it runs guest code here
    arch: str = "x86_64"
    machine: str = "q35"  # for images without hw_machine_type
    cpu_model: str = ""  # "" lets the XML builder choose: host-model under KVM, an x86-64-v2 model under TCG
    disk_cache: Literal["auto", "none", "writeback"] = "auto"  # auto: none where the file system can do O_DIRECT
    hotplug_ports: int = 12  # spare PCI Express ports of a q35 guest
    image_cache_gb: int = 20
    ephemeral_format: Literal["ext4", "none"] = "ext4"
    network: Literal["auto", "none"] = "auto"  # auto: guests have networks when the host has an underlay address

    share: float = 1.0  # how much of this machine's memory and free disk the host offers
    vcpus: int = 0  # 0: all of the machine
    ram_mb: int = 0  # 0: share of the machine's
    disk_gb: int = 0  # 0: share of what was free at the first start
    reserved_ram_mb: int = 512
    reserved_disk_gb: int = 0
    cpu_ratio: float = 16.0
    ram_ratio: float = 1.0
    disk_ratio: float = 1.0
    traits: tuple[str, ...] = ()
    custom_resources: dict[str, int] = {}  # CUSTOM_... → how many servers may claim in all

    calls: int = 16  # libvirt calls at a time
    deadline_s: float = 30.0  # of one libvirt call
    start_deadline_s: float = 120.0  # of starting a guest
    copy_deadline_s: float = 3600.0  # of copying a disk into an image
    save_deadline_s: float = 900.0  # of writing a guest's memory to the disk
    detach_deadline_s: float = 60.0  # of a guest letting go of a device
    stop_deadline_s: float = 60.0  # of ending one, a frozen process included


def parse(values: Mapping[str, object]) -> Options:
    """Raises ``msgspec.ValidationError`` for unknown names and wrong types."""
    return msgspec.convert(dict(values), Options)
