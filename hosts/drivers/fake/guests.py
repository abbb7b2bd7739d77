"""The fake hypervisor's memory: one JSON file per guest. The file is the truth; nothing is cached."""
# ruff: noqa: PTH103, PTH105, PTH108, PTH123, PTH208
# Plain os calls on strings: this path is measured, and pathlib would double its cost.

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any

import msgspec

from hosts.drivers import names, steps
from hosts.drivers.specs import GuestState, PowerState


class Guest(msgspec.Struct, omit_defaults=True):
    """What the fake host holds of one guest; not ``defined`` before ``define`` and after ``undefine``."""

    id: str
    name: str = ""
    host_id: str = ""
    project_id: str = ""
    epoch: int = -1
    operation_id: str = ""
    vcpus: int = 0
    ram_mb: int = 0
    disks: dict[str, int] = {}  # target -> MB
    image: str = ""  # of its root disk
    config_drive: list[str] = []  # paths in it
    ports: dict[str, str] = {}  # port id -> mac
    addresses: list[str] = []
    nics: list[str] = []  # port ids; of a guest that runs
    defined: bool = False
    boots_from: str = "root"  # or rescue
    kept: dict[str, dict[str, Any]] = {}  # operation -> the definition before it
    power: int = PowerState.NOSTATE
    boots: int = 0
    is_saved: bool = False  # its memory lies on the disk
    has_agent: bool = False
    passwords: dict[str, str] = {}  # user -> SHA-256 of the one that was set last
    interrupts: int = 0  # non-maskable ones
    stopped_by: str = ""  # how it ended last: shutdown, destroyed, crashed

    @property
    def is_running(self) -> bool:
        return self.power in (PowerState.RUNNING, PowerState.PAUSED)

    def seen(self) -> GuestState:
        return GuestState(self.id, PowerState(self.power), self.epoch, self.name, self.host_id)

    @property
    def is_empty(self) -> bool:
        """True when nothing is left that a host could hold."""
        return not (self.defined or self.disks or self.ports or self.config_drive)


_GUEST = msgspec.json.Decoder(Guest)


class Guests:
    """The guests of one fake host, below ``folder``.

    A file's first line is the guest. A change overwrites that line in place with one small write: a killed
    worker leaves it whole or not begun, and it costs a tenth of making and renaming a file (which ``durable`` does).
    """

    def __init__(self, folder: Path, *, durable: bool) -> None:
        self._folder = str(folder)
        self._durable = durable
        self._encode = msgspec.json.Encoder().encode
        self._lock = Lock()  # a reader must not see half of another thread's write
        os.makedirs(self._folder, mode=0o700, exist_ok=True)

    def find(self, guest_id: str) -> Guest | None:
        """The guest, or None."""
        path = self._path(guest_id)
        try:
            with self._lock, open(path, "rb", buffering=0) as file:
                data = file.read()
        except FileNotFoundError:
            return None
        line, ended, _ = data.partition(b"\n")
        return _GUEST.decode(line) if ended else None

    def save(self, guest: Guest) -> None:
        """Write the guest; one of which nothing is left is removed. Raises OutsideStep."""
        steps.require(f"a change of guest {guest.id}")
        if guest.is_empty:
            self.forget(guest.id)
            return
        path, line = self._path(guest.id), self._encode(guest) + b"\n"
        with self._lock:
            if not self._durable:
                self._write(path, line, 0)
                return
            self._write(f"{path}.part", line, os.O_TRUNC)
            os.replace(f"{path}.part", path)
        self._sync_folder()

    def forget(self, guest_id: str) -> None:
        """Remove the guest's file, if there is one."""
        try:
            os.unlink(self._path(guest_id))
        except FileNotFoundError:
            return
        self._sync_folder()

    def ids(self) -> list[str]:
        """Ids of all guests of which anything is left."""
        return [entry[:-5] for entry in os.listdir(self._folder) if entry.endswith(".json")]

    def file(self, guest_id: str) -> Path:
        """Where the guest is written down, whether it is or not."""
        return Path(self._path(guest_id))

    def __iter__(self) -> Iterator[Guest]:
        for guest_id in self.ids():
            guest = self.find(guest_id)
            if guest is not None:
                yield guest

    def _path(self, guest_id: str) -> str:
        return f"{self._folder}/{names.guest_id(guest_id)}.json"

    def _write(self, path: str, line: bytes, flags: int) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o600)
        try:
            os.write(descriptor, line)
            if self._durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _sync_folder(self) -> None:
        if self._durable:
            descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
