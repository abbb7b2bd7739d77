"""The highest owner epoch seen of each guest, on disk: a lower one never starts or changes anything here again."""

from __future__ import annotations

import os
import threading
import weakref
from pathlib import Path

from computecloud.core import failpoints

COMPACT_AT = 50_000
WRITING, WRITTEN = failpoints.Point("agent.journal.write"), failpoints.Point("agent.journal.after")


class EpochTooOld(Exception):
    """The order comes from an owner of the past."""


class Journal:
    """Append-only lines ``guest epoch``, fsynced before the epoch is acted upon; compacted at start."""

    def __init__(self, path: Path, durable: bool = True) -> None:
        self.path = path
        self.durable = durable
        self._lock = threading.Lock()
        self._highest: dict[str, int] = {}
        self._is_torn = False
        self._read()
        self._file = self._open()
        weakref.finalize(self, os.close, self._file)  # not before the last thread that may write has let go of it

    def _read(self) -> None:
        if not self.path.exists():
            return
        text = self.path.read_text()
        self._is_torn = bool(text) and not text.endswith("\n")
        lines = text.splitlines()
        for line in lines:
            guest, _, epoch = line.partition(" ")
            if epoch.isdigit():  # a torn last line is no record
                self._highest[guest] = max(int(epoch), self._highest.get(guest, 0))
        if len(lines) > COMPACT_AT:
            fresh = self.path.with_suffix(".new")
            fresh.write_text("".join(f"{guest} {epoch}\n" for guest, epoch in self._highest.items()))
            fresh.rename(self.path)
            self._is_torn = False

    def _open(self) -> int:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        if self._is_torn:  # by a death in the middle of a line: the next one must not continue it
            os.write(file, b"\n")
        return file

    def admit(self, guest: str, epoch: int) -> None:
        """Let an order in, or raise EpochTooOld."""
        with self._lock:
            highest = self._highest.get(guest, -1)
            if epoch < highest:
                raise EpochTooOld(f"epoch {epoch} of {guest}: {highest} was seen")
            if epoch > highest:
                failpoints.write(WRITING, self._file, f"{guest} {epoch}\n".encode())
                if self.durable:
                    os.fdatasync(self._file)
                WRITTEN()
                self._highest[guest] = epoch

    def highest(self, guest: str) -> int:
        return self._highest.get(guest, -1)
