"""Reads the end of what a guest wrote on its serial console."""

from __future__ import annotations

import os
from pathlib import Path

LARGEST = 4 * 2**20


def tail(log: Path, max_bytes: int) -> bytes:
    """The last ``max_bytes`` (at most 4 MiB); goes on into the rotated file when the newest is short."""
    wanted = min(max(max_bytes, 0), LARGEST)
    data = _end_of(log, wanted)
    if len(data) < wanted:
        data = _end_of(log.with_name(f"{log.name}.0"), wanted - len(data)) + data
    return data


def _end_of(path: Path, wanted: int) -> bytes:
    if wanted == 0:
        return b""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - wanted))
            return file.read(wanted)
    except FileNotFoundError:
        return b""
