"""Disks that a verb replaces, in a folder beside them that is named after its operation, until they are not needed."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from hosts.drivers.libvirt import files

RECORDS, DRIVE, WHOLE = "disks.json", "disk-config", "whole"


def place(folder: Path, mark: str) -> Path:
    return folder / f"before-{mark}"


def keep(folder: Path, mark: str, disks: Iterable[str]) -> bool:
    """Move disk files and the config drive away, and copy the records. False: that was done before, by this operation.

    What was moved before a crash stays moved; a disk that was made since is not touched.
    """
    there = place(folder, mark)
    if (there / WHOLE).exists():
        return False
    there.mkdir(mode=0o700, exist_ok=True)
    if (folder / RECORDS).exists() and not (there / RECORDS).exists():
        files.write(there / RECORDS, (folder / RECORDS).read_bytes(), mark)
    for name in (*disks, DRIVE):
        if (folder / name).exists():
            (folder / name).replace(there / name)
    files.sync(folder)
    return True


def close(folder: Path, mark: str) -> None:
    """All that is to be kept is kept, and the records say so."""
    files.write(place(folder, mark) / WHOLE, b"", mark)


def put_back(folder: Path, mark: str, made: Iterable[str]) -> None:
    """What was kept is in its place again, and what was ``made`` instead is gone."""
    there = place(folder, mark)
    if not there.is_dir():
        return
    if (there / WHOLE).exists():
        (there / WHOLE).unlink()
        for name in (*made, DRIVE):
            (folder / name).unlink(missing_ok=True)
    for path in list(there.iterdir()):
        if path.name == DRIVE or path.name.startswith("disk-"):
            path.replace(folder / path.name)
    if (there / RECORDS).exists():
        (there / RECORDS).replace(folder / RECORDS)
    files.sync(folder)
    shutil.rmtree(there)


def forget(folder: Path, mark: str) -> None:
    if place(folder, mark).is_dir():
        shutil.rmtree(place(folder, mark))
