"""A "newc" cpio archive, the form of an initramfs; written here so that no program is needed for it."""

from __future__ import annotations

import gzip
import stat
from pathlib import Path


def initramfs(folder: Path) -> bytes:
    """The tree below ``folder`` as a gzipped archive, owned by root, without times."""
    parts = [
        _entry(path, str(path.relative_to(folder)), number) for number, path in enumerate(sorted(folder.rglob("*")), 1)
    ]
    parts.append(_record("TRAILER!!!", 0, 0, b""))
    return gzip.compress(b"".join(parts), 9, mtime=0)


def _entry(path: Path, name: str, number: int) -> bytes:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return _record(name, number, mode, str(path.readlink()).encode())
    if stat.S_ISREG(mode):
        return _record(name, number, mode, path.read_bytes())
    return _record(name, number, mode, b"")


def _record(name: str, number: int, mode: int, data: bytes) -> bytes:
    raw = name.encode() + b"\0"
    # inode, mode, uid, gid, links, mtime, size, device (2), special device (2), length of the name, checksum
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(raw), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + raw
    return _padded(head) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
