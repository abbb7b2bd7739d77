"""The rig on real hosts: namespaces with a libvirtd of their own, guests of one boot sector, networks, config drives.

Processes, leases, faults and what is right are those of the simulated rig; only the hosts differ, and what lies on
them is looked at past the product: domains, QEMU's own log, files, taps, DHCP entries.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

from deploy import hosts
from deploy.hosts.layout import Host
from hosts.drivers.libvirt.domain_xml import NAMESPACE
from hosts.drivers.specs import PowerState
from hosts.plumbing import names
from instances.models import Instance
from instances.states import VmState
from integrations.images import facade as images
from tests.drivers import boot_sector
from tests.faults.matrix.requests import MEMBER, NAME
from tests.faults.matrix.rig import Member, Rig, Slot
from tests.support.inspection import RealHosts

OPTIONS = {"vcpus": 16, "ram_mb": 8192, "disk_gb": 200, "virt_type": "qemu"}
POWER = {"running": PowerState.RUNNING, "paused": PowerState.PAUSED, "shut off": PowerState.SHUTDOWN}
STARTED = "starting up libvirt version"  # what libvirt writes into a guest's log when it starts QEMU
PASSING = (".part", "snapshot-", "definition-", "before-")  # in names of files that do not stay


@dataclass
class RealSlot(Slot):
    """One real host."""

    machine: Host
    looks: RealHosts

    @property
    def disks(self) -> Path:
        return self.folder / "hosts" / self.name / "instances"

    def guests(self) -> dict[str, dict[str, Any]]:
        """Every domain of the host: its power, and how often QEMU was started for it."""
        found = {}
        for guest_id in self.looks.guests():
            try:
                state = self.looks.on(self.name, "virsh", "domstate", guest_id).strip()
            except CalledProcessError:  # it went meanwhile
                continue
            found[guest_id] = {"power": POWER.get(state, PowerState.NOSTATE), "boots": self._starts(guest_id)}
        return found

    def things(self) -> set[str]:
        return set(self.guests()) | self.looks.disks()

    def oddity(self, row: Instance | None) -> str:
        ports = {port["port_id"]: port["mac"] for port in row.network_info} if row else {}
        taps, wanted = sorted(self.looks.ports()), sorted(names.tap(port_id) for port_id in ports)
        if taps != wanted:
            return f"taps {taps}, not {wanted}"
        entries = self.looks.dhcp_entries()
        if len(entries) != len(ports) or not all(any(mac in line for line in entries) for mac in ports.values()):
            return f"DHCP entries {entries}, not of {sorted(ports.values())}"
        return self.oddity_of_moves(row) or (self._oddity_of(row) if row else self._devices_left())

    def _devices_left(self) -> str:
        """A host without guests carries no network any more."""
        links = json.loads(self.looks.on(self.name, "ip", "-j", "link", "show"))
        found = [link["ifname"] for link in links if link.get("ifalias", "").startswith(f"{names.MARK}:")]
        return f"devices left over: {found}" if found else ""

    def _oddity_of(self, row: Instance) -> str:
        files = [path.name for path in (self.disks / row.id).iterdir()]
        passing = [name for name in files if any(word in name for word in PASSING)]
        if passing:
            return f"files that nobody needs: {passing}"
        if "disk-vda" not in files or "disk-config" not in files:
            return f"disks are missing: {files}"
        if ("disk-rescue" in files) != (row.vm_state == VmState.RESCUED):
            return f"rescued or not, its files are: {files}"
        if not self._has_our_mark(row.id):
            return "the domain does not carry our mark"
        console = self.disks / row.id / "console.log"
        if row.vm_state == VmState.ACTIVE and boot_sector.HELLO not in console.read_bytes():
            return "the guest runs and has not said hello"
        return ""

    def _has_our_mark(self, guest_id: str) -> bool:
        try:
            return "epoch" in self.looks.on(self.name, "virsh", "metadata", guest_id, "--uri", NAMESPACE)
        except CalledProcessError:
            return False

    def _starts(self, guest_id: str) -> int:
        log = self.machine.folder / "log" / "qemu" / f"instance-{guest_id}.log"
        return log.read_text(errors="replace").count(STARTED) if log.exists() else 0


class RealRig(Rig):
    """Hosts are made below the rig's folder and are gone with it.

    A boot sector has no agent in it, and lets go of no device.
    """

    cannot = frozenset({"changePassword", "detach_interface"})

    def start(self) -> None:
        hosts.up(self.state, [], start=True)
        self.address = hosts.gateway(self.state)
        super().start()

    def add_slot(self, number: int) -> Slot:
        name = f"real{number}"
        machine = hosts.up(self.state, [name], start=True)[number]
        place = self.state / "agents" / name
        folder = place / "data" / f"agent-{name}"
        host_id = self._enrol(number, name, folder, "libvirt", OPTIONS)
        spaces = [str(machine.namespace(kind)) for kind in machine.kinds]
        worker: Member = self._keep_worker(name, host_id, folder, spaces, machine.address)
        slot = RealSlot(name, host_id, folder, worker, machine, RealHosts(place, {name: machine.enter}))
        self.slots.append(slot)
        return slot

    def furnish(self) -> None:
        """Servers are made of an image too, which boots within a second."""
        image = images.create(MEMBER, NAME, disk_format="raw")
        images.store_bytes(image.id, [boot_sector.image()])
        super().furnish()

    def close(self) -> None:
        super().close()
        hosts.down(self.state, purge=True)
