"""The bytes of images: one file per image, named after its id, in one directory that nobody else may enter.

A file is first ``<id>.<upload id>.part``, and becomes ``<id>`` when all of it is on the disk and judged.
Every open is relative to the directory's descriptor and follows no link (S08).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from computecloud.conf import conf
from computecloud.core.ids import is_uuid
from integrations.images.errors import BytesMissing, StoreFull, UploadAbandoned

PART = ".part"


def directory() -> Path:
    """Where the files are."""
    return Path(conf().state_dir) / "images"


@contextmanager
def _opened() -> Iterator[int]:
    path = directory()
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.fstat(descriptor).st_mode & 0o077:
            os.fchmod(descriptor, 0o700)
        yield descriptor
    finally:
        os.close(descriptor)


def _blob(image_id: str) -> str:
    if not is_uuid(image_id):
        raise BytesMissing(image_id=image_id)
    return image_id


def _part(image_id: str, upload_id: str) -> str:
    return f"{_blob(image_id)}.{_blob(upload_id)}{PART}"


def create_part(image_id: str, upload_id: str) -> int:
    """A new, empty file for an upload, as a descriptor that can be read and written."""
    flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    with _opened() as root, no_space_is_ours():
        return os.open(_part(image_id, upload_id), flags, 0o600, dir_fd=root)


def publish(image_id: str, upload_id: str, part: int) -> None:
    """Make an upload the image's bytes: on the disk first, then under its name.

    Never replaces a file: an upload that lost its lease long ago must not overwrite what a later one made active.
    """
    name = _part(image_id, upload_id)
    with _opened() as root, no_space_is_ours():
        os.fsync(part)
        try:
            os.link(name, _blob(image_id), src_dir_fd=root, dst_dir_fd=root, follow_symlinks=False)
        except (FileExistsError, FileNotFoundError) as problem:
            raise UploadAbandoned(image_id=image_id) from problem
        _unlink(root, name)
        os.fsync(root)


def withdraw(image_id: str, part: int) -> None:
    """Undo ``publish`` of just this file."""
    with _opened() as root:
        try:
            there = os.stat(_blob(image_id), dir_fd=root, follow_symlinks=False)
        except FileNotFoundError:
            return
        if there.st_ino == os.fstat(part).st_ino:
            _unlink(root, _blob(image_id))


def open_blob(image_id: str) -> BinaryIO:
    """The bytes of an image for reading. Raises BytesMissing."""
    with _opened() as root:
        try:
            descriptor = os.open(_blob(image_id), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=root)
        except OSError as problem:
            raise BytesMissing(image_id=image_id) from problem
    return os.fdopen(descriptor, "rb")


def remove_blob(image_id: str) -> None:
    """Remove an image's bytes; no error when there are none. A reader that has them open may finish."""
    with _opened() as root:
        _unlink(root, _blob(image_id))


def remove_part(image_id: str, upload_id: str) -> None:
    """Remove what an upload wrote, even while it is still writing: cut to nothing first."""
    name = _part(image_id, upload_id)
    with _opened() as root:
        try:
            descriptor = os.open(name, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=root)
        except FileNotFoundError:
            return
        try:
            os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)
        _unlink(root, name)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that was found in the store; ``upload_id`` is None for finished ones."""

    image_id: str
    upload_id: str | None
    modified_at: float


def found() -> list[StoredFile]:
    """Everything in the store that bears our names."""
    files: list[StoredFile] = []
    with _opened() as root, os.scandir(root) as entries:
        for entry in entries:
            image_id, _, rest = entry.name.partition(".")
            upload_id = rest.removesuffix(PART) if rest.endswith(PART) else None
            if is_uuid(image_id) and (not rest or (upload_id and is_uuid(upload_id))):
                modified = entry.stat(follow_symlinks=False).st_mtime
                files.append(StoredFile(image_id, upload_id, modified))
    return files


def _unlink(root: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=root)
    except FileNotFoundError:
        return


@contextmanager
def no_space_is_ours() -> Iterator[None]:
    """A full disk is the store's fault, not the client's: 503."""
    try:
        yield
    except OSError as problem:
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFull from problem
        raise
