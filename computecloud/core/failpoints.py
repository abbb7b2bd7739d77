"""Named crash points, inert unless ``COMPUTECLOUD_FAILPOINTS`` is set (tests only).

``server.create.define.before=kill9@1;server.delete.stop.after=raise@2``: action and how many times in all. Counts are
kept in ``COMPUTECLOUD_FAILPOINTS_DIR``, so that a restarted process does not fire the same point again.
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path


class InjectedFailure(Exception):
    """Raised by action ``raise``."""


def _parse(text: str) -> dict[str, tuple[str, int]]:
    points = {}
    for part in filter(None, text.split(";")):
        name, _, what = part.partition("=")
        action, _, times = what.partition("@")
        points[name.strip()] = (action.strip(), int(times or 1))
    return points


POINTS = _parse(os.environ.get("COMPUTECLOUD_FAILPOINTS", ""))
_lock = threading.Lock()


def _count(name: str) -> int:
    """How often the point was reached before, over all processes; counts this time too."""
    folder = Path(os.environ.get("COMPUTECLOUD_FAILPOINTS_DIR", "."))
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("ab") as counter:
        before = counter.tell()
        counter.write(b".")
        counter.flush()
        os.fsync(counter.fileno())
    return before


def point(name: str) -> None:
    """A crash point. Costs one dictionary look-up when inert."""
    if not POINTS or name not in POINTS:
        return
    action, times = POINTS[name]
    with _lock:
        if _count(name) >= times:
            return
    if action == "kill9":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif action == "raise":
        raise InjectedFailure(name)
