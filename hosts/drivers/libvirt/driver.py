"""The libvirt driver: each verb is told in a file of its own; here they are only gathered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock

import structlog

from hosts.drivers.base import (
    ConsoleLogged,
    Diagnosing,
    Driver,
    ImageSource,
    Interrupting,
    Moving,
    Networked,
    PasswordSetting,
    Pausable,
    Plugging,
    Rebooting,
    Rebuilding,
    Rescuing,
    Snapshotting,
    Suspending,
)
from hosts.drivers.errors import DriverError
from hosts.drivers.libvirt import (
    agent,
    console_log,
    destroy,
    diagnostics,
    files,
    interfaces,
    inventory,
    moves,
    power,
    rebuild,
    rescue,
    snapshot,
    spawn,
)
from hosts.drivers.libvirt.host import LibvirtHost, assemble
from hosts.drivers.libvirt.inventory import Machine
from hosts.drivers.libvirt.options import Options, parse
from hosts.drivers.libvirt.ports import Wires
from hosts.drivers.specs import CarriedDisk, Diagnostics, GuestRef, GuestSpec, GuestState, HostInventory, Step, Trip
from hosts.plumbing import Plumbing

log = structlog.get_logger(__name__)


class LibvirtDriver(
    Driver, Rebooting, Pausable, Suspending, Rescuing, Rebuilding, Snapshotting, ConsoleLogged, Diagnosing,
    Interrupting, Moving, PasswordSetting, Plugging, Networked,
):
    """One host under one libvirtd."""

    name = "libvirt"

    def __init__(self, host: LibvirtHost) -> None:
        self.host = host
        self._machine: Machine | None = None
        self._looking = Lock()

    def start(self) -> None:
        """Open the connection (or keep trying) and let libvirt learn about QEMU now, not at the first guest."""
        self.host.connection.start(self._reread)
        try:
            self._look()
        except DriverError as problem:
            log.warning("hypervisor is not ready", problem=str(problem))

    def close(self) -> None:
        self.host.connection.close()

    def on_change(self, callback: Callable[[str], None]) -> None:
        self.host.connection.listen(callback)

    def inventory(self) -> HostInventory:
        return inventory.inventory(self.host, self._look())

    def list(self) -> Sequence[GuestState]:
        return self.host.domains.states()

    def state(self, guest_id: str) -> GuestState:
        return self.host.domains.state(guest_id)

    def spawn(self, spec: GuestSpec) -> Sequence[Step]:
        return spawn.steps(self.host, spec)

    def destroy(self, ref: GuestRef) -> Sequence[Step]:
        return destroy.steps(self.host, ref)

    def set_aside(self, ref: GuestRef) -> Sequence[Step]:
        return destroy.aside_steps(self.host, ref)

    def reap(self, older_than_s: float) -> Sequence[str]:
        return self.host.quarantine.reap(older_than_s)

    def power_on(self, spec: GuestSpec) -> Sequence[Step]:
        return power.on(self.host, spec)

    def power_off(self, ref: GuestRef, *, timeout_s: int = 0) -> Sequence[Step]:
        return power.off(self.host, ref, timeout_s)

    def reboot(self, spec: GuestSpec, *, hard: bool, timeout_s: int = 60) -> Sequence[Step]:
        return power.reboot(self.host, spec, hard=hard, timeout_s=timeout_s)

    def pause(self, ref: GuestRef) -> Sequence[Step]:
        return power.pause(self.host, ref)

    def unpause(self, ref: GuestRef) -> Sequence[Step]:
        return power.unpause(self.host, ref)

    def suspend(self, ref: GuestRef) -> Sequence[Step]:
        return power.suspend(self.host, ref)

    def resume(self, spec: GuestSpec) -> Sequence[Step]:
        return power.resume(self.host, spec)

    def rescue(self, spec: GuestSpec, *, was_on: bool, timeout_s: int = 60) -> Sequence[Step]:
        return rescue.steps(self.host, spec, was_on=was_on, timeout_s=timeout_s)

    def unrescue(self, spec: GuestSpec, *, was_on: bool = True, timeout_s: int = 60) -> Sequence[Step]:
        return rescue.back_steps(self.host, spec, was_on=was_on, timeout_s=timeout_s)

    def rebuild(
        self, spec: GuestSpec, *, was_on: bool, starts: bool, keeps_ephemeral: bool, timeout_s: int = 60
    ) -> Sequence[Step]:
        return rebuild.steps(
            self.host, spec, was_on=was_on, starts=starts, keeps_ephemeral=keeps_ephemeral, timeout_s=timeout_s
        )

    def leave(self, spec: GuestSpec, trip: Trip, *, timeout_s: int = 60) -> Sequence[Step]:
        return moves.leave_steps(self.host, spec, trip, timeout_s)

    def packed(self, ref: GuestRef, trip: Trip) -> tuple[CarriedDisk, ...]:
        return moves.packed(self.host, ref.id, trip)

    def arrive(self, spec: GuestSpec, trip: Trip, *, starts: bool) -> Sequence[Step]:
        return moves.arrive_steps(self.host, spec, trip, starts=starts)

    def clear(self, ref: GuestRef) -> Sequence[Step]:
        return moves.clear_steps(self.host, ref)

    def come_back(self, spec: GuestSpec, trip: Trip, *, starts: bool) -> Sequence[Step]:
        return moves.come_back_steps(self.host, spec, trip, starts=starts)

    def forget(self, ref: GuestRef, trip: Trip) -> Sequence[Step]:
        return moves.forget_steps(self.host, ref, trip)

    def snapshot(self, ref: GuestRef, image_id: str) -> Sequence[Step]:
        return snapshot.steps(self.host, ref, image_id)

    def console_log(self, guest_id: str, *, max_bytes: int = 102400) -> bytes:
        if not self.host.disks.folder(guest_id).is_dir():
            self.host.domains.state(guest_id)  # raises GuestNotFound
        return console_log.tail(self.host.console_log(guest_id), max_bytes)

    def diagnostics(self, guest_id: str) -> Diagnostics:
        return diagnostics.look(self.host, guest_id)

    def interrupt(self, ref: GuestRef) -> Sequence[Step]:
        return diagnostics.interrupt_steps(self.host, ref)

    def set_password(self, spec: GuestSpec) -> Sequence[Step]:
        return agent.password_steps(self.host, spec)

    def attach_port(self, spec: GuestSpec, port_id: str) -> Sequence[Step]:
        return interfaces.attach_steps(self.host, spec, port_id)

    def detach_port(self, spec: GuestSpec, port_id: str) -> Sequence[Step]:
        return interfaces.detach_steps(self.host, spec, port_id)

    def sync_peers(self, peers: Mapping[str, Sequence[str]]) -> None:
        self.host.ports.sync_peers(peers)

    def lost_disks(self) -> Mapping[str, str]:
        return self.host.disks.lost()

    def leftovers(self, known: frozenset[str]) -> Sequence[str]:
        return destroy.leftovers(self.host, known)

    def _look(self) -> Machine:
        with self._looking:
            if self._machine is None:
                self._machine = inventory.look(self.host)
            return self._machine

    def _reread(self) -> None:
        """After a reconnection events may have been missed: every guest may have changed."""
        for state in self.list():
            self.host.connection.announce(state.id)


def make(
    options: Mapping[str, object],
    images: ImageSource | None,
    state_dir: Path,
    underlay_address: str,
    wires: Wires | None = None,
) -> LibvirtDriver:
    """For the registry. ``wires`` takes the place of the plumbing that a host with an underlay address has."""
    parsed = parse(options)
    files.private_folder(state_dir)
    return LibvirtDriver(assemble(parsed, images, state_dir, wires or _plumbing(parsed, state_dir, underlay_address)))


def _plumbing(options: Options, state_dir: Path, underlay_address: str) -> Plumbing | None:
    if options.network == "none" or not underlay_address:
        return None
    return Plumbing(underlay_address, state_dir / "networks")
