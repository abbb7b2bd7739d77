"""The fake driver: a full citizen of the host side without a hypervisor.

``fake.options`` says what an identity file may set; how it fails on demand stands in ``fake.faults``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from threading import Event

import msgspec

from hosts.drivers import names, steps
from hosts.drivers.base import (
    ConsoleLogged,
    Diagnosing,
    Driver,
    ImageSource,
    Interrupting,
    PasswordSetting,
    Pausable,
    Plugging,
    Rebooting,
    Rebuilding,
    Rescuing,
    Snapshotting,
    Suspending,
)
from hosts.drivers.errors import Fatal, GuestNotFound
from hosts.drivers.fake import agent, console, counters, inventory
from hosts.drivers.fake.changes import Changes
from hosts.drivers.fake.disk_files import DiskFiles
from hosts.drivers.fake.faults import Faults
from hosts.drivers.fake.guests import Guest, Guests
from hosts.drivers.fake.interfaces import Interfaces
from hosts.drivers.fake.moves import Moves, MovesGuests
from hosts.drivers.fake.options import Options
from hosts.drivers.fake.snapshots import Snapshots
from hosts.drivers.quarantine import Quarantine
from hosts.drivers.specs import (
    Diagnostics,
    DiskSpec,
    GuestRef,
    GuestSpec,
    GuestState,
    HostInventory,
    PowerState,
    Step,
)


class FakeDriver(
    Driver, Rebooting, Pausable, Suspending, Rescuing, Rebuilding, Snapshotting, ConsoleLogged, Diagnosing,
    Interrupting, PasswordSetting, Plugging, MovesGuests,
):
    """One simulated host; a process may hold many, each with a state folder of its own."""

    name = "fake"

    def __init__(self, options: Mapping[str, object], images: ImageSource | None, state_dir: Path) -> None:
        self._options = msgspec.convert(dict(options), Options)
        self._images = images
        self._state_dir = state_dir
        self.guests = Guests(state_dir / "guests", durable=self._options.durable)
        self.files = DiskFiles(state_dir / "disks", kept=self._options.inspect)
        self._quarantine = Quarantine(state_dir / "quarantine")
        self._closing = Event()
        self._faults = Faults(state_dir, self._options.faults, self._options.delays, self._closing)
        self._callbacks: list[Callable[[str], None]] = []
        self._changes = Changes(self)
        self._interfaces = Interfaces(self)
        self._snapshots = Snapshots(self, state_dir / "snapshots", images)
        self.moves = Moves(self, state_dir / "moves", images)

    def close(self) -> None:
        self._closing.set()  # ends injected hangs and delays

    def on_change(self, callback: Callable[[str], None]) -> None:
        """``callback`` hears what ``occur`` does; the steps of our own are not repeated as events."""
        self._callbacks.append(callback)

    def inventory(self) -> HostInventory:
        return inventory.of(self._options, running=sum(guest.is_running for guest in self.guests))

    def list(self) -> Sequence[GuestState]:
        return [guest.seen() for guest in self.guests if guest.defined]

    def state(self, guest_id: str) -> GuestState:
        return self.known(guest_id).seen()

    def console_log(self, guest_id: str, *, max_bytes: int = 102400) -> bytes:
        log = console.text(self.known(guest_id)).encode()
        return log[-max_bytes:] if max_bytes > 0 else b""

    def diagnostics(self, guest_id: str) -> Diagnostics:
        return counters.of(self._running(guest_id))

    def interrupt(self, ref: GuestRef) -> Sequence[Step]:
        return [self.step("inject_nmi", ref.id, partial(self._interrupt, ref.id))]

    def set_password(self, spec: GuestSpec) -> Sequence[Step]:
        return [self.step("set_password", spec.id, partial(agent.set_password, self.guests, spec))]

    def attach_port(self, spec: GuestSpec, port_id: str) -> Sequence[Step]:
        return self._interfaces.attach(spec, port_id)

    def detach_port(self, spec: GuestSpec, port_id: str) -> Sequence[Step]:
        return self._interfaces.detach(spec, port_id)

    def lost_disks(self) -> Mapping[str, str]:
        """Seen with the option ``inspect`` only: without it disks are no files."""
        return self.files.lost(self.guests)

    def leftovers(self, known: frozenset[str]) -> Sequence[str]:
        return sorted({*self.guests.ids(), *self.moves.guests()} - known)

    def spawn(self, spec: GuestSpec) -> Sequence[Step]:
        ref = spec.ref
        return [
            self.step("fetch_images", spec.id, partial(self.fetch_images, spec)),
            self.step("make_disks", spec.id, partial(self.make_disks, spec), partial(self._remove_disks, ref)),
            self.step(
                "config_drive",
                spec.id,
                partial(self.write_config_drive, spec),
                partial(self._remove_disks, ref),
            ),
            self.step("plug_ports", spec.id, partial(self.plug_ports, spec), partial(self.unplug_ports, ref)),
            self.step("define", spec.id, partial(self.define, spec), partial(self.undefine, ref)),
            self.step("start", spec.id, partial(self.start_guest, spec), partial(self.stop, ref)),
        ]

    def destroy(self, ref: GuestRef) -> Sequence[Step]:
        return [*self.clear(ref)[:-1], self.step("remove_disks", ref.id, partial(self._remove_everything, ref))]

    def clear(self, ref: GuestRef) -> Sequence[Step]:
        return [
            self.step("stop", ref.id, partial(self.stop, ref)),
            self.step("undefine", ref.id, partial(self.undefine, ref)),
            self.step("unplug_ports", ref.id, partial(self.unplug_ports, ref)),
            self.step("remove_disks", ref.id, partial(self._remove_disks, ref)),
        ]

    def set_aside(self, ref: GuestRef) -> Sequence[Step]:
        things = [self.guests.file(ref.id), self.files.folder(ref.id), *self.moves.kept(ref.id)]
        return [
            *self.destroy(ref)[:-1],
            self.step("set_aside", ref.id, partial(self._quarantine.take, ref.id, things)),
        ]

    def reap(self, older_than_s: float) -> Sequence[str]:
        return self._quarantine.reap(older_than_s)

    def power_on(self, spec: GuestSpec) -> Sequence[Step]:
        return [
            self.step("check_disks", spec.id, partial(self.check_disks, spec)),
            self.step("plug_ports", spec.id, partial(self.plug_ports, spec)),
            self.step("define", spec.id, partial(self.define, spec)),
            self.step("start", spec.id, partial(self.start_guest, spec)),
        ]

    def power_off(self, ref: GuestRef, *, timeout_s: int = 0) -> Sequence[Step]:
        stop = self.step("stop", ref.id, partial(self.stop, ref))
        if timeout_s <= 0:
            return [stop]
        return [self.step("shut_down", ref.id, partial(self.shut_down, ref.id)), stop]

    def reboot(self, spec: GuestSpec, *, hard: bool, timeout_s: int = 60) -> Sequence[Step]:
        ref = spec.ref
        stop = self.step("stop", spec.id, partial(self.stop_for_reboot, ref))
        if hard:
            return [stop, *self.power_on(spec)]
        ask = self.step("shut_down", spec.id, partial(self.shut_down, spec.id, spec.operation_id))
        return [ask, stop, *self.power_on(spec)]

    def pause(self, ref: GuestRef) -> Sequence[Step]:
        return [self.step("pause", ref.id, partial(self._turn, ref.id, PowerState.RUNNING, PowerState.PAUSED))]

    def unpause(self, ref: GuestRef) -> Sequence[Step]:
        return [self.step("unpause", ref.id, partial(self._turn, ref.id, PowerState.PAUSED, PowerState.RUNNING))]

    def suspend(self, ref: GuestRef) -> Sequence[Step]:
        return [self.step("save", ref.id, partial(self._save, ref.id))]

    def resume(self, spec: GuestSpec) -> Sequence[Step]:
        return [
            self.step("check_disks", spec.id, partial(self.check_disks, spec)),
            self.step("plug_ports", spec.id, partial(self.plug_ports, spec)),
            self.step("start", spec.id, partial(self.start_guest, spec)),
        ]

    def rescue(self, spec: GuestSpec, *, was_on: bool, timeout_s: int = 60) -> Sequence[Step]:
        return self._changes.rescue(spec, was_on=was_on)

    def unrescue(self, spec: GuestSpec, *, was_on: bool = True, timeout_s: int = 60) -> Sequence[Step]:
        return self._changes.unrescue(spec, was_on=was_on)

    def rebuild(
        self, spec: GuestSpec, *, was_on: bool, starts: bool, keeps_ephemeral: bool, timeout_s: int = 60
    ) -> Sequence[Step]:
        return self._changes.rebuild(spec, was_on=was_on, starts=starts, keeps_ephemeral=keeps_ephemeral)

    def snapshot(self, ref: GuestRef, image_id: str) -> Sequence[Step]:
        return self._snapshots.steps(ref, image_id)

    def occur(self, guest_id: str, power: PowerState) -> None:
        """The world changes a guest behind our back (it halts, its process dies); listeners are told."""
        steps.run(Step("occur", partial(self._occur, guest_id, power)))
        for callback in self._callbacks:
            callback(guest_id)

    def step(
        self,
        name: str,
        guest_id: str,
        act: Callable[[], None],
        undo: Callable[[], None] | None = None,
        *,
        tidies: bool = False,
    ) -> Step:
        def ensure() -> None:
            self._faults.strike(name, "before", guest_id)
            self._faults.delay(name)
            act()
            self._faults.strike(name, "after", guest_id)

        return Step(name, ensure, undo, tidies)

    def fetch_images(self, spec: GuestSpec) -> None:
        if not self._options.fetch or self._images is None:
            return
        folder = self._state_dir / "images"
        folder.mkdir(mode=0o700, exist_ok=True)
        for image in {disk.image for disk in spec.disks if disk.image is not None}:
            target = folder / names.sha512(image.sha512)
            if not target.exists():
                self._images.fetch(image.id, image.sha512, target)

    def make_disks(self, spec: GuestSpec) -> None:
        guest = self.guests.find(spec.id) or Guest(spec.id)
        wanted = {names.disk_target(disk.target): _size_mb(disk) for disk in spec.disks}
        self.files.make(spec.id, [*wanted])
        if guest.disks != wanted:
            guest.disks = wanted
            guest.image = guest.image or next((disk.image.id for disk in spec.disks if disk.image), "")
            self.guests.save(guest)

    def _remove_everything(self, ref: GuestRef) -> None:
        self.moves.remove_all(ref.id)
        self._remove_disks(ref)

    def _remove_disks(self, ref: GuestRef) -> None:
        self._snapshots.remove_all(ref.id)
        self.moves.drop_incoming(ref.id)
        self.files.remove_all(ref.id)
        guest = self.guests.find(ref.id)
        if guest is None:
            self.guests.forget(ref.id)  # a worker may have died between making the file and writing it
        elif guest.disks or guest.config_drive:
            guest.disks, guest.config_drive, guest.image = {}, [], ""
            self.guests.save(guest)

    def check_disks(self, spec: GuestSpec) -> None:
        guest = self.guests.find(spec.id)
        if guest is None:
            raise GuestNotFound(f"no guest {spec.id} on this host")
        lost = {disk.target for disk in spec.disks} - set(guest.disks)
        if lost:
            raise Fatal(f"disk lost: {', '.join(sorted(lost))} of {spec.id}")

    def write_config_drive(self, spec: GuestSpec) -> None:
        wanted = sorted(spec.config_drive.files) if spec.config_drive else []
        guest = self.guests.find(spec.id) or Guest(spec.id)
        if guest.config_drive != wanted:
            guest.config_drive = wanted
            self.guests.save(guest)

    def plug_ports(self, spec: GuestSpec) -> None:
        wanted = {nic.port_id: nic.mac for nic in spec.nics}
        guest = self.guests.find(spec.id) or Guest(spec.id)
        if guest.ports != wanted:
            guest.ports = wanted
            guest.addresses = [fixed.address for nic in spec.nics for fixed in nic.fixed_ips]
            self.guests.save(guest)

    def unplug_ports(self, ref: GuestRef) -> None:
        guest = self.guests.find(ref.id)
        if guest is not None and guest.ports:
            guest.ports, guest.addresses = {}, []
            self.guests.save(guest)

    def define(self, spec: GuestSpec) -> None:
        guest = self.guests.find(spec.id) or Guest(spec.id)
        before = msgspec.structs.astuple(guest)
        guest.name, guest.project_id, guest.host_id = spec.name, spec.project_id, spec.host_id
        guest.epoch, guest.operation_id = spec.epoch, spec.operation_id
        guest.vcpus, guest.ram_mb = spec.vcpus, spec.ram_mb
        guest.boots_from = "rescue" if spec.rescue else "root"
        guest.has_agent = spec.has_agent or self._options.agents
        if not guest.defined:
            guest.defined, guest.power = True, PowerState.SHUTDOWN
        if msgspec.structs.astuple(guest) != before:
            self.guests.save(guest)

    def undefine(self, ref: GuestRef) -> None:
        guest = self.guests.find(ref.id)
        if guest is not None and guest.defined:
            guest.defined, guest.power, guest.boots, guest.is_saved = False, PowerState.NOSTATE, 0, False
            self.guests.save(guest)

    def start_guest(self, spec: GuestSpec) -> None:
        guest = self.known(spec.id)
        if guest.is_running:
            return
        guest.power = PowerState.RUNNING
        guest.boots += not guest.is_saved
        guest.is_saved, guest.nics = False, list(guest.ports)
        self.guests.save(guest)

    def stop(self, ref: GuestRef) -> None:
        self._end(ref.id, "destroyed")

    def stop_for_reboot(self, ref: GuestRef) -> None:
        self._end(ref.id, "destroyed", unless_started_by=ref.operation_id)

    def shut_down(self, guest_id: str, unless_started_by: str = "") -> None:
        self._end(guest_id, "shutdown", unless_started_by=unless_started_by)

    def _end(self, guest_id: str, how: str, *, unless_started_by: str = "") -> None:
        """``unless_started_by``: the operation which, if it started the guest already, must not end it."""
        guest = self.guests.find(guest_id)
        if guest is None or not (guest.is_running or guest.is_saved):
            return
        if unless_started_by and guest.operation_id == unless_started_by:
            return
        guest.power, guest.is_saved, guest.stopped_by, guest.nics = PowerState.SHUTDOWN, False, how, []
        self.guests.save(guest)

    def _turn(self, guest_id: str, before: PowerState, after: PowerState) -> None:
        guest = self.known(guest_id)
        if guest.power == after:
            return
        if guest.power != before:
            raise Fatal(f"guest {guest_id} is {PowerState(guest.power).name.lower()}")
        guest.power = after
        self.guests.save(guest)

    def _save(self, guest_id: str) -> None:
        guest = self.known(guest_id)
        if guest.is_running:
            guest.power, guest.is_saved, guest.stopped_by, guest.nics = PowerState.SHUTDOWN, True, "saved", []
            self.guests.save(guest)

    def _interrupt(self, guest_id: str) -> None:
        guest = self._running(guest_id)
        guest.interrupts += 1
        self.guests.save(guest)

    def _occur(self, guest_id: str, power: PowerState) -> None:
        guest = self.known(guest_id)
        guest.power, guest.stopped_by = power, "by itself"
        self.guests.save(guest)

    def _running(self, guest_id: str) -> Guest:
        guest = self.known(guest_id)
        if not guest.is_running:
            raise Fatal(f"guest {guest_id} does not run")
        return guest

    def known(self, guest_id: str) -> Guest:
        guest = self.guests.find(guest_id)
        if guest is None or not guest.defined:
            raise GuestNotFound(f"no guest {guest_id} on this host")
        return guest


def _size_mb(disk: DiskSpec) -> int:
    if disk.size_mb or disk.size_gb:
        return disk.size_mb or disk.size_gb * 1024
    return -(-disk.image.size_bytes // 2**20) if disk.image else 0


def make(
    options: Mapping[str, object], images: ImageSource | None, state_dir: Path, underlay_address: str
) -> FakeDriver:
    """For the registry. ``underlay_address`` is not used: a simulated host has no network."""
    del underlay_address
    return FakeDriver(options, images, state_dir)
