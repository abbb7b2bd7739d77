"""Disks of simulated guests as files, with the option ``inspect``: empty ones, to be found or missed."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from hosts.drivers import names
from hosts.drivers.fake.guests import Guest


class DiskFiles:
    """Below ``folder``, one folder for each guest; nothing at all unless they are to be ``kept``."""

    def __init__(self, folder: Path, *, kept: bool) -> None:
        self._folder = folder
        self._kept = kept

    def folder(self, guest_id: str) -> Path:
        return self._folder / names.guest_id(guest_id)

    def make(self, guest_id: str, targets: Sequence[str]) -> None:
        if not self._kept:
            return
        folder = self.folder(guest_id)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for target in targets:
            (folder / f"disk-{target}").touch(mode=0o600)

    def remove(self, guest_id: str, target: str) -> None:
        (self.folder(guest_id) / f"disk-{target}").unlink(missing_ok=True)

    def remove_all(self, guest_id: str) -> None:
        if self._kept:
            shutil.rmtree(self.folder(guest_id), ignore_errors=True)

    def lost(self, guests: Iterable[Guest]) -> Mapping[str, str]:
        """Guest → its disks whose files are not there."""
        found = {}
        for guest in guests if self._kept else ():
            gone = [target for target in guest.disks if not (self.folder(guest.id) / f"disk-{target}").exists()]
            if gone:
                found[guest.id] = ", ".join(gone)
        return found
