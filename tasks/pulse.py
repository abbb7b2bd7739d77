"""A thread that does one thing again and again, and survives its own failures."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog
from django.db import DatabaseError, connection

log = structlog.get_logger(__name__)


class Pulse:
    """``work()`` every so many seconds, or at once after ``nudge()``; ends with the process."""

    def __init__(self, name: str, work: Callable[[], object], every_s: float) -> None:
        self.name = name
        self.work = work
        self.every_s = every_s
        self._nudged = threading.Event()
        self._stopped = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped = True
        self._nudged.set()

    def nudge(self) -> None:
        self._nudged.set()

    def _run(self) -> None:
        while not self._stopped:
            self._nudged.wait(self.every_s)
            self._nudged.clear()
            if self._stopped:
                return
            try:
                self.work()
            except DatabaseError as problem:
                log.warning("pulse failed", pulse=self.name, error=str(problem))
                connection.close()
            except Exception:  # the next beat tries again; a dead thread would be silent for ever
                log.exception("pulse failed", pulse=self.name)
