"""Where a host keeps the disks of what was left behind, for some days: a mistake may be taken back by hand."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from hosts.drivers import names, steps


class Quarantine:
    """``<folder>/<guest>~<when>/`` holds the things as they were; nothing looks for guests there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def take(self, guest_id: str, things: Iterable[Path]) -> None:
        """Move the things that are there, by rename: they are on the same file system. Only inside a step."""
        steps.require(f"setting aside {guest_id}")
        found = [thing for thing in things if thing.exists()]
        if not found:
            return
        place = self.folder / f"{names.guest_id(guest_id)}~{time.time_ns()}"
        place.mkdir(mode=0o700, parents=True)
        for thing in found:
            thing.rename(place / thing.name)

    def held(self) -> list[Path]:
        """What is kept, oldest first."""
        return sorted(self.folder.iterdir(), key=lambda place: place.stat().st_mtime) if self.folder.is_dir() else []

    def reap(self, older_than_s: float) -> list[str]:
        """Remove what has been here longer; the ids of its guests. A place emptied by hand has none."""
        until = time.time() - older_than_s
        over = [place for place in self.held() if place.stat().st_mtime < until]
        removed = [place.name.partition("~")[0] for place in over if any(place.iterdir())]
        for place in over:
            shutil.rmtree(place)
        return removed
