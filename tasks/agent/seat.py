"""One agent process per state folder, and what it remembers of its registrations.

A second process that finds the seat taken ends, unless the first one has not moved for as long as a host may be silent.
Frozen, it would wake up in the middle of a step and act on a guest that is another's by then, and no hypervisor
compares tokens. So it is killed first.
"""

from __future__ import annotations

import fcntl
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)
KILLED_WITHIN_S = 5.0
LOOK_S = 0.02


class SeatTaken(Exception):
    """Another process of this machine stands for these hosts: this one must not start (F33)."""


class Seat:
    """``agent.lock`` is held for the life of the process and says its id and when it moved last."""

    def __init__(self, folder: Path, frozen_after_s: float) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.frozen_after_s = frozen_after_s
        self._nonces = folder / "nonces"
        self._lock = os.open(folder / "agent.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def take(self) -> None:
        """Raises SeatTaken."""
        if not self._try():
            holder, silent_s = self._holder()
            if silent_s < self.frozen_after_s:
                raise SeatTaken(f"process {holder} stands for these hosts and moved {silent_s:.0f} s ago")
            log.warning("the process that stood for these hosts is frozen and is killed", pid=holder, silent_s=silent_s)
            self._kill(holder)
        self.keep()

    def keep(self) -> None:
        """Still alive: called with every heartbeat."""
        line = f"{os.getpid()} {time.clock_gettime(time.CLOCK_BOOTTIME):.3f}\n".encode()
        os.pwrite(self._lock, line.ljust(40), 0)

    def leave(self) -> None:
        """Let the next process in at once."""
        os.close(self._lock)

    def _try(self) -> bool:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _holder(self) -> tuple[int, float]:
        """Process id of who holds the seat, and for how many seconds it has not moved."""
        words = os.pread(self._lock, 40, 0).split()
        if len(words) != 2:
            return 0, 0.0  # it has just sat down
        return int(words[0]), time.clock_gettime(time.CLOCK_BOOTTIME) - float(words[1])

    def _kill(self, holder: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(holder, signal.SIGKILL)
        until = time.monotonic() + KILLED_WITHIN_S
        while not self._try():
            if time.monotonic() > until:
                raise SeatTaken(f"process {holder} was killed and still holds the seat")
            time.sleep(LOOK_S)

    # --- registrations

    def nonces(self) -> list[str]:
        """Those under which this folder's agent may have registered last."""
        return self._nonces.read_text().split() if self._nonces.exists() else []

    def remember(self, *nonces: str) -> None:
        """Written before a registration with the old and the new one, after it with the new one alone."""
        fresh = self._nonces.with_suffix(".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write("\n".join(nonces) + "\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._nonces)
