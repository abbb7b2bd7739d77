"""Plain frozen dataclasses that cross the border between the cloud and a driver.

Nothing here knows Django, libvirt or HTTP. Sizes carry their unit in the name. ``tasks/conductor/wire.py`` says how
they travel (msgspec converts these dataclasses from and to JSON).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import IntEnum


class PowerState(IntEnum):
    """Nova's power states (https://docs.openstack.org/nova/latest/reference/vm-states.html)."""

    NOSTATE = 0
    RUNNING = 1
    PAUSED = 3
    SHUTDOWN = 4
    CRASHED = 6
    SUSPENDED = 7


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """An image as a host needs it: fetched by id from the conductor, checked by sha512, cached under its checksum."""

    id: str
    sha512: str
    size_bytes: int
    disk_format: str  # raw | qcow2 | iso, recorded once and never probed


@dataclass(frozen=True, slots=True)
class DiskSpec:
    """One local disk. ``role`` is root, ephemeral or swap; ``target`` is vda, vdb, ... and names the file."""

    role: str
    index: int
    target: str
    size_gb: int  # 0: as large as its image (only for the root disk of a flavor with disk 0)
    size_mb: int = 0  # swap is given in MB
    image: ImageSpec | None = None
    bus: str = "virtio"
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class RescueSpec:
    """The disk that a guest boots while it is rescued.

    ``is_stable``: the guest's own disks keep their names, the rescue disk comes last; else it comes first.
    """

    disk: DiskSpec
    is_stable: bool = False


@dataclass(frozen=True, slots=True)
class PasswordSpec:
    """A new password of a user in the guest. No text that is made of it tells it."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class FixedIpSpec:
    address: str
    cidr: str
    gateway: str | None = None
    dns: tuple[str, ...] = ()
    routes: tuple[tuple[str, str], ...] = ()  # (destination cidr, next hop)


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """A virtual network as a host carries it: a bridge, a VXLAN segment to its peers, a DHCP responder."""

    id: str
    name: str
    segment: int  # VXLAN network identifier
    mtu: int
    cidrs: tuple[str, ...] = ()
    dhcp_address: str | None = None  # the address of the DHCP port; the same on every host


@dataclass(frozen=True, slots=True)
class NicSpec:
    port_id: str
    mac: str
    network: NetworkSpec
    fixed_ips: tuple[FixedIpSpec, ...] = ()
    hostname: str = ""
    dhcp: bool = True
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class ConfigDriveSpec:
    """Files of the config drive (label ``config-2``): path -> bytes as latin-1 safe base64 is done on the wire."""

    files: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class GuestSpec:
    """Everything a host needs to make a guest, and to make it again."""

    id: str
    name: str
    project_id: str
    epoch: int  # owner epoch; written into the domain's metadata
    operation_id: str
    vcpus: int
    ram_mb: int
    disks: tuple[DiskSpec, ...] = ()
    nics: tuple[NicSpec, ...] = ()
    config_drive: ConfigDriveSpec | None = None
    arch: str = "x86_64"
    machine_type: str | None = None
    extra_specs: dict[str, str] = field(default_factory=dict)
    image_properties: dict[str, str] = field(default_factory=dict)
    peers: tuple[str, ...] = ()  # underlay addresses of the other hosts that carry these networks
    host_id: str = ""  # whose guest it is; written into the domain's metadata
    rescue: RescueSpec | None = None
    password: PasswordSpec | None = None

    @property
    def has_agent(self) -> bool:
        """Whether its image says that an agent of QEMU's runs in it."""
        return self.image_properties.get("hw_qemu_guest_agent", "").lower() in ("yes", "true", "on", "1", "t", "y")

    @property
    def ref(self) -> GuestRef:
        """The guest, for what needs no more of it."""
        return GuestRef(self.id, self.epoch, self.operation_id)

    def without(self, port_id: str) -> GuestSpec:
        """The guest as it is when it has not got the port."""
        return replace(self, nics=tuple(nic for nic in self.nics if nic.port_id != port_id))


@dataclass(frozen=True, slots=True)
class GuestRef:
    """Enough to act on a guest that exists."""

    id: str
    epoch: int
    operation_id: str = ""


@dataclass(frozen=True, slots=True)
class CarriedDisk:
    """A disk that is carried to another host: one flat qcow2. Of a CD-ROM there is nothing to carry but its image."""

    target: str
    role: str
    sha512: str  # of the file that is carried
    size_bytes: int  # of the disk in it


@dataclass(frozen=True, slots=True)
class Trip:
    """A guest's way to another host; ``id`` names what the old host keeps of it. ``disks``: what came along."""

    id: str
    disks: tuple[CarriedDisk, ...] = ()


@dataclass(frozen=True, slots=True)
class GuestState:
    """What a driver saw of one guest. ``epoch`` is -1 when the guest does not carry our marker.

    ``host_id``: the host it was defined for, as its marker says; empty when it does not.
    """

    id: str
    power: PowerState
    epoch: int = -1
    name: str = ""
    host_id: str = ""


@dataclass(frozen=True, slots=True)
class DiskCounters:
    """What went through a guest's disk since it started."""

    device: str
    read_requests: int = 0
    read_bytes: int = 0
    write_requests: int = 0
    write_bytes: int = 0
    errors: int = 0


@dataclass(frozen=True, slots=True)
class NicCounters:
    """What went through a guest's nic since it started, as the guest sees the directions."""

    device: str
    mac: str
    rx_bytes: int = 0
    rx_packets: int = 0
    rx_errors: int = 0
    rx_drop: int = 0
    tx_bytes: int = 0
    tx_packets: int = 0
    tx_errors: int = 0
    tx_drop: int = 0


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """The counters of a running guest. ``memory_kb``: what its balloon tells, by libvirt's names."""

    hypervisor: str
    memory_mb: int
    memory_used_mb: int
    cpu_times_ns: tuple[int, ...] = ()
    disks: tuple[DiskCounters, ...] = ()
    nics: tuple[NicCounters, ...] = ()
    memory_kb: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NumaCell:
    """One NUMA cell of a host. ``dedicated`` processors go to one guest each and are not among ``cpus``."""

    id: int
    cpus: int
    ram_mb: int
    dedicated: int = 0
    pages: dict[str, int] = field(default_factory=dict)  # huge pages: size in KB → how many


@dataclass(frozen=True, slots=True)
class PciDevice:
    """A device that can be handed through to a guest. Ids are four hexadecimal digits."""

    address: str
    vendor_id: str
    product_id: str
    numa_cell: int | None = None


@dataclass(frozen=True, slots=True)
class HostInventory:
    """What a host has: totals, not what is left. ``disk_free_gb`` is the real free space, for information."""

    vcpus: int
    ram_mb: int
    disk_gb: int
    disk_free_gb: int
    hypervisor_type: str  # QEMU | KVM | LXC | fake
    hypervisor_version: int
    arch: str = "x86_64"
    cpu_info: dict[str, object] = field(default_factory=dict)
    traits: tuple[str, ...] = ()
    machine_types: tuple[str, ...] = ()
    running_vms: int = 0
    reserved_ram_mb: int = 0
    reserved_disk_gb: int = 0
    cpu_ratio: float = 16.0
    ram_ratio: float = 1.0
    disk_ratio: float = 1.0
    supported: tuple[tuple[str, str, str], ...] = ()  # (architecture, hypervisor, mode) of guests it can run
    numa_cells: tuple[NumaCell, ...] = ()
    pci_devices: tuple[PciDevice, ...] = ()
    custom_resources: dict[str, int] = field(default_factory=dict)  # CUSTOM_... → how many
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """One ensure-step: ``ensure`` looks, acts if needed, looks again; ``undo`` is idempotent too.

    A step makes at most one kind of change outside the database. Its name is a crash point's name.
    ``tidies``: what the verb wanted is there, the old way is closed, and only remains are removed. Such a step is tried
    again when it fails, and nothing is undone.
    """

    name: str
    ensure: Callable[[], None]
    undo: Callable[[], None] | None = None
    tidies: bool = False
