"""Named crash points: places where a test may let a process die, freeze, fail or wait. Inert in production.

They do something only where ``COMPUTECLOUD_FAILPOINTS`` or ``COMPUTECLOUD_FAILPOINTS_FILE`` is set. Both hold arms::

    server.create.define.before=kill9; relay.before_publish=raise@0.1; server.stop.stop.after/HOST=hang:30@1

that is ``point[/scope]=action[:argument][@times]``. ``scope`` is the host (where there is one); ``*`` is every point;
``times`` is how often in all (default once), or a probability when it has a dot. The file is read again when it
changed; a point that hangs goes on when its arm is gone. Hits are counted below ``COMPUTECLOUD_FAILPOINTS_DIR``, so
that a restarted process does not fire an arm again; action ``note`` only writes down there which points are passed.
``manage.py crashpoints`` lists the points; nobody types the list.
"""

from __future__ import annotations

import errno
import os
import random
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

Action = Literal["kill9", "stop", "raise", "hang", "enospc", "partial", "note"]
LOOK_S = 0.02
LONGEST_HANG_S = 3600.0


class InjectedFailure(Exception):
    """Raised by action ``raise``."""


class WrongArm(ValueError):
    """Arms that nobody can read: better no test than one that shows nothing."""


@dataclass(frozen=True, slots=True)
class Arm:
    """What happens at a point. ``times``: how often in all; ``chance``: instead, how probable each time."""

    key: str
    action: Action
    argument: float = 0.0
    times: int = 1
    chance: float | None = None

    @classmethod
    def read(cls, text: str) -> Arm:
        """Raises WrongArm."""
        key, _, what = text.partition("=")
        action, _, often = what.partition("@")
        action, _, argument = action.strip().partition(":")
        if action not in get_args(Action) or not key.strip():
            raise WrongArm(text)
        try:
            amount = float(argument or 0)
            times, chance = (1, float(often)) if "." in often else (int(often or 1), None)
        except ValueError as problem:
            raise WrongArm(text) from problem
        return cls(key.strip(), cast(Action, action), amount, times, chance)


def parse(text: str) -> dict[str, Arm]:
    """Arms by their key. Raises WrongArm."""
    arms = (Arm.read(part) for line in text.splitlines() for part in line.split(";") if part.strip())
    return {arm.key: arm for arm in arms}


class Arms:
    """The arms of this process: fixed ones, and those of a file that may change."""

    def __init__(self, fixed: str = "", file: str = "") -> None:
        self.fixed = parse(fixed)
        self.file = Path(file) if file else None
        self._stamp: tuple[int, int] | None = None
        self._read: dict[str, Arm] = {}
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self.fixed) or self.file is not None

    def find(self, name: str, scope: str) -> Arm | None:
        """The arm of a point, rather of its scope than of all."""
        arms = self._all()
        return arms.get(f"{name}/{scope}") or arms.get(name) or arms.get(f"*/{scope}") or arms.get("*")

    def _all(self) -> dict[str, Arm]:
        if self.file is None:
            return self.fixed
        try:
            seen = self.file.stat()
        except FileNotFoundError:
            return self.fixed
        with self._lock:
            stamp = (seen.st_mtime_ns, seen.st_ino)
            if stamp != self._stamp:
                self._read = {**self.fixed, **parse(self.file.read_text())}
                self._stamp = stamp
            return self._read


ARMS = Arms(os.environ.get("COMPUTECLOUD_FAILPOINTS", ""), os.environ.get("COMPUTECLOUD_FAILPOINTS_FILE", ""))
DECLARED: dict[str, Point] = {}
_lock = threading.Lock()


class Point:
    """A crash point that stands in a module, declared where it is reached."""

    def __init__(self, name: str) -> None:
        self.name = name
        DECLARED[name] = self

    def __call__(self, scope: str | None = "") -> None:
        point(self.name, scope or "")


def _note(key: str, text: bytes = b".") -> int:
    """Append to the arm's file, which all processes share; how long it was before."""
    folder = Path(os.environ.get("COMPUTECLOUD_FAILPOINTS_DIR", "."))
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / key.replace("/", "~")).open("ab") as file:
        before = file.tell()
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return before


def _fires(name: str, scope: str) -> Arm | None:
    arm = ARMS.find(name, scope)
    if arm is None:
        return None
    if arm.chance is not None:
        return arm if random.random() < arm.chance else None  # noqa: S311 -- chance, not a secret
    with _lock:
        if arm.action == "note":
            _note(f"*/{scope}", f"{name}\n".encode())
            return None
        return arm if _note(arm.key) < arm.times else None


def point(name: str, scope: str = "") -> None:
    """A crash point. Costs one look at a variable when inert. Raises InjectedFailure, OSError."""
    if not ARMS:
        return
    arm = _fires(name, scope)
    if arm is not None:
        _act(arm, name, scope)


def _act(arm: Arm, name: str, scope: str) -> None:
    if arm.action in ("kill9", "partial"):
        os.kill(os.getpid(), signal.SIGKILL)
    elif arm.action == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif arm.action == "raise":
        raise InjectedFailure(name)
    elif arm.action == "enospc":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)
    elif arm.action == "hang":
        _hang(arm, name, scope)


def _hang(arm: Arm, name: str, scope: str) -> None:
    until = time.monotonic() + (arm.argument or LONGEST_HANG_S)
    while time.monotonic() < until and ARMS.find(name, scope) == arm:
        time.sleep(LOOK_S)


def write(where: Point, descriptor: int, data: bytes) -> None:
    """Write all of ``data``; armed with ``partial``, die with half of it on the disk."""
    if ARMS:
        arm = _fires(where.name, "")
        if arm is not None and arm.action == "partial":
            os.write(descriptor, data[: len(data) // 2])
            os.fsync(descriptor)
        if arm is not None:
            _act(arm, where.name, "")
    os.write(descriptor, data)
