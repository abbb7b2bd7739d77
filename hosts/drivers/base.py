"""The driver interface: a short core, and roles for what only some hypervisors can do.

A capability is ``isinstance(driver, Role)``, so it is always true. Drivers are made by ``hosts.drivers.registry``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from hosts.drivers.specs import (
    CarriedDisk,
    Diagnostics,
    GuestRef,
    GuestSpec,
    GuestState,
    HostInventory,
    PowerState,
    Step,
    Trip,
)


class ImageSource(Protocol):
    """Where a host gets image bytes from, and hands a snapshot's to: the conductor."""

    def fetch(self, image_id: str, sha512: str, target: Path) -> None:
        """Write the whole image to ``target`` (a ``.part`` file resumes); raise Fatal on a wrong checksum."""

    def store(self, image_id: str, operation_id: str, source: Path) -> None:
        """Give the image that the operation makes its bytes. Repeating it is no error. Raises Fatal and Transient."""

    def send_disk(self, trip_id: str, operation_id: str, disk: str, source: Path) -> None:
        """Bring a disk of a guest that leaves for another host. Repeating it is no error. Raises Fatal, Transient."""

    def fetch_disk(self, trip_id: str, operation_id: str, disk: str, sha512: str, target: Path) -> None:
        """Write the disk that the other host brought to ``target``. Raises Fatal (not those bytes) and Transient."""


class Driver(ABC):
    """What every hypervisor can do. All methods may be called from several threads at once."""

    name: str

    def start(self) -> None:  # noqa: B027 -- a driver without connections has nothing to open
        """Open connections, warm caches. Called once, after the worker forked."""

    def close(self) -> None:  # noqa: B027 -- nor to close
        """Let go of connections."""

    def on_change(self, callback: Callable[[str], None]) -> None:  # noqa: B027 -- not every hypervisor tells
        """Call ``callback(guest_id)`` on the hypervisor's life-cycle events. They only hint; truth is re-read."""

    @abstractmethod
    def inventory(self) -> HostInventory:
        """Totals of this host."""

    @abstractmethod
    def list(self) -> Sequence[GuestState]:
        """Every guest that carries our marker, running or not."""

    @abstractmethod
    def state(self, guest_id: str) -> GuestState:
        """One guest. Raises GuestNotFound."""

    @abstractmethod
    def spawn(self, spec: GuestSpec) -> Sequence[Step]:
        """Steps that make the guest and start it."""

    @abstractmethod
    def destroy(self, ref: GuestRef) -> Sequence[Step]:
        """Steps that end the guest and remove everything it had on this host (domain, disks, taps, config drive)."""

    @abstractmethod
    def set_aside(self, ref: GuestRef) -> Sequence[Step]:
        """As ``destroy``, for a leftover: its disks are kept in quarantine instead of removed."""

    @abstractmethod
    def reap(self, older_than_s: float) -> Sequence[str]:
        """Remove what has been in quarantine longer; ids of the guests it was of."""

    @abstractmethod
    def power_on(self, spec: GuestSpec) -> Sequence[Step]:
        """Steps that start an existing guest, its definition made anew from ``spec``."""

    @abstractmethod
    def power_off(self, ref: GuestRef, *, timeout_s: int = 0) -> Sequence[Step]:
        """Steps that stop the guest: ask it for ``timeout_s`` seconds (0: do not ask), then force."""

    @abstractmethod
    def leftovers(self, known: frozenset[str]) -> Sequence[str]:
        """Ids of guests (not in ``known``) of which this host still holds anything: domain, disk folder, tap."""

    def lost_disks(self) -> Mapping[str, str]:
        """Guest → its disks whose files are not there any more, such as ``vda, vdb``. Nothing re-makes them."""
        return {}


class Rebooting(ABC):
    """Can reboot a guest without powering it off by hand."""

    @abstractmethod
    def reboot(self, spec: GuestSpec, *, hard: bool, timeout_s: int = 60) -> Sequence[Step]:
        """Soft: ask the guest and wait ``timeout_s``, then hard. Hard: destroy, define anew from ``spec``, start."""


class Pausable(ABC):
    """Can stop a guest's CPUs and let them go on; its memory stays on the host."""

    @abstractmethod
    def pause(self, ref: GuestRef) -> Sequence[Step]:
        """The guest's CPUs stand still. Raises GuestNotFound."""

    @abstractmethod
    def unpause(self, ref: GuestRef) -> Sequence[Step]:
        """They go on. Raises GuestNotFound."""


class Suspending(ABC):
    """Can write a guest's memory to the host's disk and bring it back."""

    @abstractmethod
    def suspend(self, ref: GuestRef) -> Sequence[Step]:
        """The guest's memory is on the disk, and it takes none of the host's. Raises GuestNotFound."""

    @abstractmethod
    def resume(self, spec: GuestSpec) -> Sequence[Step]:
        """The guest goes on where it was; one whose saved memory is gone boots."""


class Rescuing(ABC):
    """Can boot a guest from another disk, its own disks beside it."""

    @abstractmethod
    def rescue(self, spec: GuestSpec, *, was_on: bool, timeout_s: int = 60) -> Sequence[Step]:
        """The guest, asked to go off, boots from ``spec.rescue``. Undone, it is on again if it ``was_on``."""

    @abstractmethod
    def unrescue(self, spec: GuestSpec, *, was_on: bool = True, timeout_s: int = 60) -> Sequence[Step]:
        """It boots from its own disk again, and nothing of a rescue is left. Undone, it is as before, on if it
        ``was_on``."""


class Rebuilding(ABC):
    """Can make a guest's disks anew where it is; its ports and their addresses stay."""

    @abstractmethod
    def rebuild(
        self, spec: GuestSpec, *, was_on: bool, starts: bool, keeps_ephemeral: bool, timeout_s: int = 60
    ) -> Sequence[Step]:
        """The guest, asked to go off, gets the disks and config drive that ``spec`` says, and is on if it ``starts``.

        Undone, it has the disks that it had, and is on again if it ``was_on``.
        """


class Moving(ABC):
    """Can take a guest down so that another host makes it of its disks, and can do that.

    The old host keeps the disks under the trip's name, apart from those of a guest that it may have again.
    """

    @abstractmethod
    def leave(self, spec: GuestSpec, trip: Trip, *, timeout_s: int = 60) -> Sequence[Step]:
        """The guest, asked to go off, has neither definition nor ports here; its disks are sent, and kept."""

    @abstractmethod
    def packed(self, ref: GuestRef, trip: Trip) -> tuple[CarriedDisk, ...]:
        """What ``leave`` has sent."""

    @abstractmethod
    def arrive(self, spec: GuestSpec, trip: Trip, *, starts: bool) -> Sequence[Step]:
        """The guest is made of the disks that came, as large as ``spec`` says, and is on if it ``starts``."""

    @abstractmethod
    def clear(self, ref: GuestRef) -> Sequence[Step]:
        """Nothing of the guest that arrived is here; what an earlier guest left for a trip stays."""

    @abstractmethod
    def come_back(self, spec: GuestSpec, trip: Trip, *, starts: bool) -> Sequence[Step]:
        """The guest is as it was before it began to ``leave``, however far it came."""

    @abstractmethod
    def forget(self, ref: GuestRef, trip: Trip) -> Sequence[Step]:
        """Nothing that was kept for the trip is left."""


class Snapshotting(ABC):
    """Can copy a guest's root disk into an image while the guest goes on."""

    @abstractmethod
    def snapshot(self, ref: GuestRef, image_id: str) -> Sequence[Step]:
        """The image has the root disk's content of one moment, as a flat qcow2. Raises GuestNotFound."""


class ConsoleLogged(ABC):
    """Keeps what the guest wrote on its serial console."""

    @abstractmethod
    def console_log(self, guest_id: str, *, max_bytes: int = 102400) -> bytes:
        """The last ``max_bytes`` of the log; empty when there is none. Raises GuestNotFound."""


class Diagnosing(ABC):
    """Counts what a running guest does."""

    @abstractmethod
    def diagnostics(self, guest_id: str) -> Diagnostics:
        """Its counters now. Raises GuestNotFound, Fatal when it does not run."""


class Interrupting(ABC):
    """Can send a guest a non-maskable interrupt."""

    @abstractmethod
    def interrupt(self, ref: GuestRef) -> Sequence[Step]:
        """The guest gets one. Raises GuestNotFound, Fatal when it does not run."""


class Plugging(ABC):
    """Can attach a port to a guest and detach it, running or off."""

    @abstractmethod
    def attach_port(self, spec: GuestSpec, port_id: str) -> Sequence[Step]:
        """The guest has the port, which is in ``spec``, now and after its next start. Raises GuestNotFound, Fatal."""

    @abstractmethod
    def detach_port(self, spec: GuestSpec, port_id: str) -> Sequence[Step]:
        """The guest has let go of the port, which is in ``spec``, and its host has nothing of it any more.

        Raises GuestNotFound, Fatal when the guest does not let go of it; then it has it as before.
        """


class PasswordSetting(ABC):
    """Can set the password of a user inside a running guest, where an agent in it helps."""

    @abstractmethod
    def set_password(self, spec: GuestSpec) -> Sequence[Step]:
        """``spec.password`` is set. Raises GuestNotFound, Fatal in Nova's words when the guest has no agent or the
        agent would not."""


class Networked(ABC):
    """Carries virtual networks, and floods them to the other hosts that carry them too."""

    @abstractmethod
    def sync_peers(self, peers: Mapping[str, Sequence[str]]) -> None:
        """For the reconciler: network id -> underlay addresses of exactly the other hosts that carry it now.

        Networks that are not here are passed over; networks here that are not named keep their peers.
        """


__all__ = [
    "ConsoleLogged",
    "Diagnosing",
    "Driver",
    "ImageSource",
    "Interrupting",
    "Moving",
    "Networked",
    "PasswordSetting",
    "Pausable",
    "Plugging",
    "PowerState",
    "Rebooting",
    "Rebuilding",
    "Rescuing",
    "Snapshotting",
    "Suspending",
]  # fmt: skip
