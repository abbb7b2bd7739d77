"""Steps of a long command, printed as they happen with the time each one took."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

WIDTH = 52


class Failure(Exception):
    """A command cannot go on. The text says what is wrong and how to mend it; it is shown without a traceback."""


class Progress:
    """Prints one line per step: its name, then its seconds; notes of the step come indented below it."""

    def __init__(self) -> None:
        self.began = float(os.environ.get("CLOUD_STARTED_AT") or time.time())
        self._notes: list[str] = []

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """One step. A Failure inside ends its line with "failed" and goes on upwards."""
        self._notes = []
        self._write(f"  {name:<{WIDTH}} ")
        began = time.monotonic()
        try:
            yield
        except BaseException:
            self._write("failed\n")
            self._flush_notes()
            raise
        self._write(f"{time.monotonic() - began:6.1f} s\n")
        self._flush_notes()

    def note(self, text: str) -> None:
        """A detail of the current step, shown when the step ends."""
        self._notes.append(text)

    def say(self, text: str = "") -> None:
        """A line outside any step."""
        self._write(text + "\n")

    def elapsed_s(self) -> float:
        """Seconds since the user pressed Enter, installing included."""
        return time.time() - self.began

    def _flush_notes(self) -> None:
        for note in self._notes:
            self._write(f"      {note}\n")
        self._notes = []

    @staticmethod
    def _write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
