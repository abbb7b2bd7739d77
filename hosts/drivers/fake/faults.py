"""Failure injection and simulated time of the fake driver.

``faults.json`` in the host's state folder (or the option ``faults``) maps a step, or ``*``, to a fault::

    {"start": {"raise": "transient", "count": 2, "when": "before", "guest": "<id>"}}

``raise`` is transient, fatal, hang (``seconds``, then Transient) or kill (SIGKILL to this process). The file
is read again when it changed. Hits are counted in ``faults-hit.json``: a count outlives the killed worker.
"""
# ruff: noqa: PTH105, PTH116, PTH123
# Plain os calls on strings: this path is measured, and pathlib would double its cost.

from __future__ import annotations

import os
import signal
from pathlib import Path
from threading import Event, Lock
from typing import Literal

import msgspec

from hosts.drivers.errors import Fatal, Transient


class Fault(msgspec.Struct, rename={"kind": "raise"}, forbid_unknown_fields=True):
    kind: Literal["transient", "fatal", "hang", "kill"]
    count: int = -1  # how often; -1: always
    when: Literal["before", "after"] = "before"
    guest: str | None = None  # only for this guest
    message: str = "injected fault"
    seconds: float = 3600.0  # how long ``hang`` lasts


class Hits(msgspec.Struct):
    """How often each fault struck, for the faults file of that modification time."""

    of: int = 0
    hits: dict[str, int] = {}


_FAULTS = msgspec.json.Decoder(dict[str, Fault])
_HITS = msgspec.json.Decoder(Hits)


class Faults:
    """The faults of one fake host. ``strike`` is called before and after the change of every step."""

    def __init__(self, folder: Path, fixed: dict[str, object], delays: dict[str, float], closing: Event) -> None:
        self._file = str(folder / "faults.json")
        self._hits_file = str(folder / "faults-hit.json")
        self._fixed = msgspec.convert(fixed, dict[str, Fault])
        self._delays = delays
        self._closing = closing
        self._lock = Lock()
        self._read_at = -1
        self._faults = self._fixed
        self._hits = Hits()

    def delay(self, step: str) -> None:
        """Spend the simulated time of ``step``: option ``delays``, seconds by step name or ``*``."""
        if self._delays:
            seconds = self._delays.get(step, self._delays.get("*", 0.0))
            if seconds > 0:
                self._closing.wait(seconds)

    def strike(self, step: str, when: str, guest_id: str) -> None:
        """Do what the fault for ``step`` says, if there is one. Raises Transient or Fatal."""
        with self._lock:
            self._reread()
            fault = self._due(step, when, guest_id)
        if fault is None:
            return
        if fault.kind == "fatal":
            raise Fatal(f"{step}: {fault.message}")
        if fault.kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if fault.kind == "hang":
            self._closing.wait(fault.seconds)
        raise Transient(f"{step}: {fault.message}")

    def _due(self, step: str, when: str, guest_id: str) -> Fault | None:
        if not self._faults:
            return None
        key = step if step in self._faults else "*"
        fault = self._faults.get(key)
        if fault is None or fault.when != when or fault.guest not in (None, guest_id):
            return None
        hits = self._hits.hits.get(key, 0)
        if 0 <= fault.count <= hits:
            return None
        self._hits.hits[key] = hits + 1
        _replace(self._hits_file, msgspec.json.encode(self._hits))
        return fault

    def _reread(self) -> None:
        try:
            changed_at = os.stat(self._file).st_mtime_ns
        except FileNotFoundError:
            changed_at = 0
        if changed_at == self._read_at:
            return
        self._read_at = changed_at
        self._faults = self._fixed
        if changed_at:
            with open(self._file, "rb") as file:
                self._faults = self._fixed | _FAULTS.decode(file.read())
        self._hits = self._earlier_hits(changed_at)

    def _earlier_hits(self, changed_at: int) -> Hits:
        try:
            with open(self._hits_file, "rb") as file:
                hits = _HITS.decode(file.read())
        except FileNotFoundError:
            return Hits(of=changed_at)
        return hits if hits.of == changed_at else Hits(of=changed_at)


def _replace(path: str, data: bytes) -> None:
    with open(f"{path}.part", "wb") as file:
        file.write(data)
    os.replace(f"{path}.part", path)
