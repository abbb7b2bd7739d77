"""What a host has: asked of libvirt and of the file system, divided by the options."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import libvirt
import msgspec

from hosts.drivers.libvirt import files
from hosts.drivers.libvirt.host import LibvirtHost
from hosts.drivers.libvirt.options import Options
from hosts.drivers.specs import HostInventory

GIB = 2**30
_KEPT = msgspec.json.Decoder(dict[str, float])
TRAITS = (
    "COMPUTE_DEVICE_TAGGING",
    "COMPUTE_GRAPHICS_MODEL_BOCHS",
    "COMPUTE_GRAPHICS_MODEL_CIRRUS",
    "COMPUTE_GRAPHICS_MODEL_NONE",
    "COMPUTE_GRAPHICS_MODEL_VGA",
    "COMPUTE_GRAPHICS_MODEL_VIRTIO",
    "COMPUTE_IMAGE_TYPE_ISO",
    "COMPUTE_IMAGE_TYPE_QCOW2",
    "COMPUTE_IMAGE_TYPE_RAW",
    "COMPUTE_NET_VIF_MODEL_E1000",
    "COMPUTE_NET_VIF_MODEL_E1000E",
    "COMPUTE_NET_VIF_MODEL_RTL8139",
    "COMPUTE_NET_VIF_MODEL_VIRTIO",
    "COMPUTE_NODE",
    "COMPUTE_STORAGE_BUS_SATA",
    "COMPUTE_STORAGE_BUS_SCSI",
    "COMPUTE_STORAGE_BUS_VIRTIO",
)
# CPU features that a guest gets only under KVM, libvirt's name -> os-traits' name.
CPU_TRAITS = {
    "aes": "HW_CPU_X86_AESNI",
    "avx": "HW_CPU_X86_AVX",
    "avx2": "HW_CPU_X86_AVX2",
    "avx512f": "HW_CPU_X86_AVX512F",
    "bmi1": "HW_CPU_X86_BMI",
    "bmi2": "HW_CPU_X86_BMI2",
    "fma": "HW_CPU_X86_FMA3",
    "pclmuldq": "HW_CPU_X86_CLMUL",
    "sha-ni": "HW_CPU_X86_SHA",
    "sse4.1": "HW_CPU_X86_SSE41",
    "sse4.2": "HW_CPU_X86_SSE42",
    "svm": "HW_CPU_X86_SVM",
    "vmx": "HW_CPU_X86_VMX",
}


class Machine(msgspec.Struct, frozen=True):
    """What does not change while the agent runs."""

    vcpus: int
    ram_mb: int
    version: int
    cpu_info: dict[str, object]
    machine_types: tuple[str, ...]


def look(host: LibvirtHost) -> Machine:
    """Ask libvirt for the machine; also warms libvirt's knowledge of QEMU, which takes 4 s the first time."""

    def ask(connection: libvirt.virConnect) -> tuple[str, int, int, int]:
        information = connection.getInfo()
        version = int(connection.getVersion())
        if host.platform.virt_type != "test":
            arch, virt_type = host.options.arch, host.platform.virt_type
            connection.getDomainCapabilities(None, arch, host.platform.machine, virt_type)
        return connection.getCapabilities(), int(information[2]), int(information[1]), version

    capabilities, vcpus, ram_mb, version = host.connection.ask("asking for capabilities", ask, deadline_s=120)
    tree = ElementTree.fromstring(capabilities)  # noqa: S314 -- libvirt's own
    return Machine(vcpus, ram_mb, version, _cpu_info(tree), _machine_types(tree, host.options.arch))


def inventory(host: LibvirtHost, machine: Machine) -> HostInventory:
    """Totals of the host."""
    options = host.options
    features = machine.cpu_info.get("features")
    cpu_traits = _cpu_traits(features) if host.platform.virt_type == "kvm" and isinstance(features, list) else ()
    return HostInventory(
        vcpus=options.vcpus or machine.vcpus,
        ram_mb=options.ram_mb or int(machine.ram_mb * options.share),
        disk_gb=_disk_gb(host),
        disk_free_gb=int(_free_bytes(host.state_dir) * options.share) // GIB,
        hypervisor_type="QEMU",  # Nova says so under KVM too
        hypervisor_version=machine.version,
        arch=options.arch,
        cpu_info=machine.cpu_info,
        traits=tuple(sorted({*TRAITS, *cpu_traits, *options.traits})),
        machine_types=machine.machine_types,
        running_vms=host.domains.running(),
        reserved_ram_mb=options.reserved_ram_mb,
        reserved_disk_gb=options.reserved_disk_gb,
        cpu_ratio=options.cpu_ratio,
        ram_ratio=options.ram_ratio,
        disk_ratio=options.disk_ratio,
        supported=_supported(options.arch, host.platform.virt_type),
        custom_resources=options.custom_resources,
    )


def _supported(arch: str, virt_type: str) -> tuple[tuple[str, str, str], ...]:
    """Guests that it can run: with KVM those without it too, since the same QEMU runs both."""
    kinds = ("kvm", "qemu") if virt_type == "kvm" else (virt_type,)
    return tuple((arch, kind, "hvm") for kind in kinds)


def _disk_gb(host: LibvirtHost) -> int:
    """Fixed at the first start and kept in ``capacity.json``: the total does not move with what guests write."""
    options, file = host.options, host.state_dir / "capacity.json"
    if options.disk_gb:
        return options.disk_gb
    try:
        kept = _KEPT.decode(file.read_bytes())
    except FileNotFoundError:
        kept = {}
    if kept.get("share") != options.share:
        kept = {"share": options.share, "disk_gb": _offered_gb(host, options)}
        files.write(file, msgspec.json.encode(kept), "inventory")
    return int(kept["disk_gb"])


def _offered_gb(host: LibvirtHost, options: Options) -> int:
    return int(_free_bytes(host.state_dir) * options.share + host.disks.used_bytes()) // GIB


def _free_bytes(folder: Path) -> int:
    stat = os.statvfs(folder)
    return stat.f_bavail * stat.f_frsize


def _cpu_info(capabilities: ElementTree.Element) -> dict[str, object]:
    cpu = capabilities.find("host/cpu")
    if cpu is None:
        return {}
    topology = cpu.find("topology")
    sizes = topology.attrib if topology is not None else {}
    return {
        "arch": cpu.findtext("arch", ""),
        "model": cpu.findtext("model", ""),
        "vendor": cpu.findtext("vendor", ""),
        "features": sorted(feature.attrib["name"] for feature in cpu.iterfind("feature")),
        "topology": {
            "cells": len(capabilities.findall("host/topology/cells/cell")) or 1,
            "sockets": int(sizes.get("sockets", 1)),
            "cores": int(sizes.get("cores", 1)),
            "threads": int(sizes.get("threads", 1)),
        },
    }


def _machine_types(capabilities: ElementTree.Element, arch: str) -> tuple[str, ...]:
    machines = capabilities.iterfind(f"guest/arch[@name='{arch}']/machine")
    return tuple(sorted({machine.text for machine in machines if machine.text}))


def _cpu_traits(features: list[str]) -> set[str]:
    return {CPU_TRAITS[name] for name in features if name in CPU_TRAITS}
