"""Builds a guest's domain XML: pure functions over an element tree, checked against golden files.

The only place that knows about x86 machine types. What users wrote is only ever set as text (S26).
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement

from hosts.drivers.errors import Fatal
from hosts.drivers.libvirt.disks import DiskSource
from hosts.drivers.specs import GuestSpec, NicSpec

NAMESPACE = "urn:computecloud:guest:1"
ElementTree.register_namespace("cloud", NAMESPACE)
MACHINES = ("q35", "pc", "virt", "s390-ccw-virtio", "pseries")
VIDEO_MODELS = ("vga", "cirrus", "virtio", "bochs", "qxl", "none")
BUSES = ("virtio", "sata", "ide", "scsi")
NIC_MODELS = {"virtio": "virtio", "e1000": "e1000", "e1000e": "e1000e", "rtl8139": "rtl8139"}
TCG_MODEL = "Nehalem"  # x86-64-v2, all of which QEMU can emulate


@dataclass(frozen=True, slots=True)
class Platform:
    """What the host decides about every guest."""

    virt_type: str = "qemu"  # qemu | kvm | test
    machine: str = "q35"
    cpu_model: str = ""
    disk_cache: str = "none"
    hotplug_ports: int = 12


@dataclass(frozen=True, slots=True)
class Mark:
    """Our marker in a domain's metadata."""

    id: str
    epoch: int
    operation_id: str
    name: str = ""
    host_id: str = ""


@dataclass(frozen=True, slots=True)
class Wiring:
    """Where a guest's parts are on this host."""

    disks: Sequence[DiskSource]
    taps: Mapping[str, str]  # port id -> tap device
    console_log: Path | None = None
    config_drive: Path | None = None
    boots_from: str = ""  # the disk that comes first when the firmware looks, whatever its place on the bus


def backup(disk: str, target: Path) -> str:
    """``<domainbackup>``: push one disk, whole, into a new qcow2 (https://libvirt.org/formatbackup.html)."""
    root = Element("domainbackup", mode="push")
    one = SubElement(SubElement(root, "disks"), "disk", name=disk, backup="yes", type="file")
    SubElement(one, "driver", type="qcow2")
    SubElement(one, "target", file=str(target))
    return ElementTree.tostring(root, encoding="unicode")


def interface(spec: GuestSpec, port_id: str, taps: Mapping[str, str]) -> str:
    """``<interface>`` of one port, as a running guest is given it. Raises Fatal when it has no device here."""
    nic = next((nic for nic in spec.nics if nic.port_id == port_id), None)
    if nic is None or not taps.get(port_id):
        raise Fatal(f"port {port_id} has no device on this host")
    return ElementTree.tostring(_interface(nic, taps[port_id], spec), encoding="unicode")


def port_alias(port_id: str) -> str:
    """What a port's nic is called in a domain."""
    return f"ua-port-{port_id}"


def domain_name(guest_id: str) -> str:
    """The hypervisor's name of a guest; made from the id alone."""
    return f"instance-{guest_id}"


def mark_xml(mark: Mark) -> str:
    """The metadata element, as ``virDomainSetMetadata`` takes it."""
    return ElementTree.tostring(_mark(mark), encoding="unicode")


def read_mark(xml: str) -> Mark:
    """The marker in a metadata element's text. Raises Fatal when it is damaged."""
    try:
        found = ElementTree.fromstring(xml)  # noqa: S314 -- from libvirt, which parsed it before
        words = [found.get(name, "") for name in ("operation", "name", "host")]
        return Mark(found.attrib["id"], int(found.attrib["epoch"]), *words)
    except (ElementTree.ParseError, KeyError, ValueError) as damage:
        raise Fatal(f"a domain's metadata is damaged: {damage}") from damage


def build(spec: GuestSpec, wiring: Wiring, platform: Platform) -> str:
    """The persistent definition of ``spec`` on this host."""
    machine = machine_of(spec, platform)
    domain = Element("domain", type=platform.virt_type)
    _text(domain, "name", domain_name(spec.id))
    _text(domain, "uuid", spec.id)
    _text(domain, "title", spec.name or spec.id)
    metadata = SubElement(domain, "metadata")
    metadata.append(_mark(Mark(spec.id, spec.epoch, spec.operation_id, spec.name, spec.host_id)))
    _text(domain, "memory", str(spec.ram_mb), unit="MiB")
    _text(domain, "vcpu", str(spec.vcpus), placement="static")
    _add_system(domain, spec, machine)
    _add_processor(domain, spec, platform)
    _text(domain, "on_poweroff", "destroy")
    _text(domain, "on_reboot", "restart")
    _text(domain, "on_crash", "destroy")
    _add_devices(SubElement(domain, "devices"), spec, wiring, platform, machine)
    ElementTree.indent(domain)
    return ElementTree.tostring(domain, encoding="unicode") + "\n"


def machine_of(spec: GuestSpec, platform: Platform) -> str:
    """The machine type: the server's, the image's, or the host's. Raises Fatal for one that is none."""
    machine = spec.machine_type or spec.image_properties.get("hw_machine_type") or platform.machine
    known = machine in MACHINES or machine.startswith(("pc-q35-", "pc-i440fx-", "virt-", "pseries-"))
    if not known or not machine.replace("-", "").replace(".", "").isalnum():
        raise Fatal(f"machine type {machine[:40]!r} is not supported")
    return machine


def _mark(mark: Mark) -> Element:
    attributes = {"id": mark.id, "epoch": str(mark.epoch), "operation": mark.operation_id, "name": _clean(mark.name)}
    if mark.host_id:
        attributes["host"] = mark.host_id
    return Element(f"{{{NAMESPACE}}}guest", attributes)


def _add_system(domain: Element, spec: GuestSpec, machine: str) -> None:
    system = SubElement(domain, "os")
    _text(system, "type", "hvm", arch=spec.arch, machine=machine)
    if _is_x86(spec):
        SubElement(system, "smbios", mode="sysinfo")
        _add_dmi(domain, spec)
    features = SubElement(domain, "features")
    SubElement(features, "acpi")
    if _is_x86(spec):
        SubElement(features, "apic")


def _add_dmi(domain: Element, spec: GuestSpec) -> None:
    """What a guest reads as its maker; cloud-init looks for this product name before it looks for its data."""
    table = SubElement(SubElement(domain, "sysinfo", type="smbios"), "system")
    for name, value in (
        ("manufacturer", "computecloud"),
        ("product", "OpenStack Compute"),
        ("serial", spec.id),
        ("uuid", spec.id),
        ("family", "Virtual Machine"),
    ):
        _text(table, "entry", value, name=name)


def _add_processor(domain: Element, spec: GuestSpec, platform: Platform) -> None:
    if platform.virt_type == "test":
        return
    if platform.cpu_model:
        cpu = SubElement(domain, "cpu", mode="custom", match="exact", check="none")
        _text(cpu, "model", platform.cpu_model, fallback="forbid")
    elif platform.virt_type == "kvm":
        cpu = SubElement(domain, "cpu", mode="host-model", check="partial")
    elif _is_x86(spec):
        cpu = SubElement(domain, "cpu", mode="custom", match="exact", check="none")
        _text(cpu, "model", TCG_MODEL, fallback="allow")
    else:
        cpu = SubElement(domain, "cpu", mode="maximum")
    SubElement(cpu, "topology", sockets=str(spec.vcpus), cores="1", threads="1")
    clock = SubElement(domain, "clock", offset="utc")
    if _is_x86(spec):
        SubElement(clock, "timer", name="pit", tickpolicy="delay")
        SubElement(clock, "timer", name="rtc", tickpolicy="catchup")
        SubElement(clock, "timer", name="hpet", present="no")


def _add_devices(devices: Element, spec: GuestSpec, wiring: Wiring, platform: Platform, machine: str) -> None:
    order = sorted(wiring.disks, key=lambda source: source.target != wiring.boots_from)
    for source in wiring.disks:
        _add_disk(devices, source, platform, machine, order=order.index(source) + 1)
    if wiring.config_drive is not None:
        _add_config_drive(devices, wiring.config_drive, spec, machine)
    for nic in spec.nics:
        _add_nic(devices, nic, wiring.taps, spec)
    if platform.virt_type == "test":
        return
    _add_controllers(devices, spec, wiring, platform, machine)
    _add_serial(devices, wiring.console_log)
    if spec.has_agent:
        _add_agent(devices)
    _add_screen(devices, spec)
    rng = SubElement(devices, "rng", model="virtio")
    _text(rng, "backend", "/dev/urandom", model="random")
    SubElement(SubElement(devices, "memballoon", model="virtio"), "stats", period="10")


def _add_disk(devices: Element, source: DiskSource, platform: Platform, machine: str, *, order: int) -> None:
    """The whole chain with its formats is spelled out, so that neither libvirt nor QEMU probes anything."""
    is_cdrom = source.record.device == "cdrom"
    disk = SubElement(devices, "disk", type="file", device=source.record.device)
    if is_cdrom:
        SubElement(disk, "driver", name="qemu", type=source.record.format, cache="writeback")
    else:
        driver = SubElement(disk, "driver", name="qemu", type=source.record.format, cache=platform.disk_cache)
        driver.set("discard", "unmap")
        if platform.disk_cache == "none":
            driver.set("io", "native")
    SubElement(disk, "source", file=str(source.path))
    _add_backing(disk, source)
    bus = _bus("sata" if is_cdrom and source.bus == "virtio" else source.bus, machine)
    SubElement(disk, "target", dev=source.dev or source.target, bus=bus)
    if is_cdrom:
        SubElement(disk, "readonly")
        SubElement(disk, "shareable")
    SubElement(disk, "boot", order=str(order))
    SubElement(disk, "alias", name=f"ua-disk-{source.target}")


def _add_backing(disk: Element, source: DiskSource) -> None:
    backing = SubElement(disk, "backingStore")
    if source.base is not None and source.record.device == "disk":
        backing.set("type", "file")
        SubElement(backing, "format", type=source.record.base_format)
        SubElement(backing, "source", file=str(source.base))
        SubElement(backing, "backingStore")


def _add_config_drive(devices: Element, path: Path, spec: GuestSpec, machine: str) -> None:
    """A read-only virtio disk unless the image asks for a CD-ROM (``hw_cdrom_bus``): every cloud image has virtio."""
    bus = _bus(spec.image_properties.get("hw_cdrom_bus", "virtio"), machine)
    is_cdrom = bus != "virtio"
    disk = SubElement(devices, "disk", type="file", device="cdrom" if is_cdrom else "disk")
    SubElement(disk, "driver", name="qemu", type="raw", cache="writeback")
    SubElement(disk, "source", file=str(path))
    SubElement(disk, "backingStore")
    name = {"virtio": "vdz", "sata": "sdz", "ide": "hdd", "scsi": "sdz"}[bus]
    SubElement(disk, "target", dev=name, bus=bus)
    SubElement(disk, "readonly")
    SubElement(disk, "alias", name="ua-config-drive")


def _bus(wanted: str, machine: str) -> str:
    """``wanted``, or SATA for what this machine does not have."""
    return wanted if wanted in BUSES and (wanted != "ide" or _has_ide(machine)) else "sata"


def _add_nic(devices: Element, nic: NicSpec, taps: Mapping[str, str], spec: GuestSpec) -> None:
    tap = taps.get(nic.port_id)
    if tap is None:
        raise Fatal(f"port {nic.port_id} has no device on this host")
    devices.append(_interface(nic, tap, spec))


def _interface(nic: NicSpec, tap: str, spec: GuestSpec) -> Element:
    interface = Element("interface", type="ethernet")
    SubElement(interface, "mac", address=nic.mac)
    SubElement(interface, "target", dev=tap, managed="no")
    SubElement(interface, "model", type=NIC_MODELS.get(spec.image_properties.get("hw_vif_model", ""), "virtio"))
    SubElement(interface, "mtu", size=str(nic.network.mtu))
    SubElement(interface, "rom", enabled="no")  # guests boot from disks; the ROM would only take time
    SubElement(interface, "alias", name=port_alias(nic.port_id))
    return interface


def _add_controllers(devices: Element, spec: GuestSpec, wiring: Wiring, platform: Platform, machine: str) -> None:
    if not _has_ide(machine):
        # 4: config drive, rng, balloon, bridge; an agent's channel is on a bus of its own
        ports = len(wiring.disks) + len(spec.nics) + 4 + spec.has_agent + platform.hotplug_ports
        SubElement(devices, "controller", type="pci", index="0", model="pcie-root")
        for index in range(1, ports + 1):
            SubElement(devices, "controller", type="pci", index=str(index), model="pcie-root-port")
    if devices.find("disk/target[@bus='scsi']") is not None:
        SubElement(devices, "controller", type="scsi", index="0", model="virtio-scsi")
    if spec.image_properties.get("hw_pointer_model") == "usbtablet":
        SubElement(devices, "controller", type="usb", model="qemu-xhci")
        SubElement(devices, "input", type="tablet", bus="usb")
    else:
        SubElement(devices, "controller", type="usb", model="none")


def _add_serial(devices: Element, console_log: Path | None) -> None:
    serial = SubElement(devices, "serial", type="pty")
    if console_log is not None:
        SubElement(serial, "log", file=str(console_log), append="on")
    SubElement(serial, "target", port="0")
    console = SubElement(devices, "console", type="pty")
    SubElement(console, "target", type="serial", port="0")


def _add_agent(devices: Element) -> None:
    """The channel of ``qemu-guest-agent``, on a Unix socket that libvirt names."""
    SubElement(SubElement(devices, "channel", type="unix"), "target", type="virtio", name="org.qemu.guest_agent.0")


def _add_screen(devices: Element, spec: GuestSpec) -> None:
    """VNC on a Unix socket that libvirt names: no port, no address (S21)."""
    model = spec.image_properties.get("hw_video_model", "vga")
    if model not in VIDEO_MODELS:
        model = "vga"
    if model != "none":
        SubElement(SubElement(devices, "graphics", type="vnc"), "listen", type="socket")
    SubElement(SubElement(devices, "video"), "model", type=model)


def _text(parent: Element, tag: str, text: str, **attributes: str) -> None:
    SubElement(parent, tag, attributes).text = _clean(text)


def _clean(text: str) -> str:
    """Without what XML 1.0 cannot hold, and on one line; the API refuses it before, this is the second wall."""
    return "".join(sign if sign.isprintable() and sign not in "\ufffe\uffff" else "?" for sign in text)


def _is_x86(spec: GuestSpec) -> bool:
    return spec.arch in ("x86_64", "i686")


def _has_ide(machine: str) -> bool:
    return machine == "pc" or machine.startswith("pc-i440fx")
