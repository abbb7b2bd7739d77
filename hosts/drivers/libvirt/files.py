"""Files that are whole or absent after a crash: a ``.part`` beside the target, sync, rename, sync of the folder."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hosts.drivers.errors import Fatal


@contextmanager
def whole(target: Path, mark: str) -> Iterator[Path]:
    """Gives ``target.part-<mark>`` to write to; renames it when the block ends well, removes it when it does not.

    The file gets mode 0600. Raises Fatal when the disk is full.
    """
    part = target.with_name(f"{target.name}.part-{mark}")
    part.unlink(missing_ok=True)
    try:
        yield part
        keep(part, target)
    except OSError as problem:
        if problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise Fatal(f"no space left for {target.name}") from problem
        raise
    finally:
        part.unlink(missing_ok=True)


def keep(part: Path, target: Path) -> None:
    """What another program wrote to ``part`` is ``target`` now, on the disk and for its owner alone."""
    part.chmod(0o600)
    sync(part)
    part.replace(target)
    sync(target.parent)


def write(target: Path, data: bytes, mark: str) -> None:
    """``target`` holds exactly ``data`` afterwards, or what it held before."""
    with whole(target, mark) as part:
        part.write_bytes(data)


def sync(path: Path) -> None:
    """Flush a file's or a folder's content to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def private_folder(path: Path) -> Path:
    """``path`` exists, for its owner alone (0700); so are the folders above it that had to be made."""
    if not path.is_dir():
        private_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
    return path
