"""Images that this host has fetched, one file per SHA-512 of their content; base of its guests' disks."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from threading import Lock

import structlog

from computecloud.core.checksum import sha512_of
from hosts.drivers import names
from hosts.drivers.base import ImageSource
from hosts.drivers.errors import Fatal
from hosts.drivers.libvirt import files, qcow2_header
from hosts.drivers.specs import ImageSpec

log = structlog.get_logger(__name__)
REMAINS_S = 86400


class ImageCache:
    """A folder of images with a ceiling. ``pinned`` tells which checksums guests' disks stand on: never evicted."""

    def __init__(
        self, folder: Path, source: ImageSource | None, *, ceiling_bytes: int, pinned: Callable[[], frozenset[str]]
    ) -> None:
        self._folder = folder
        self._source = source
        self._ceiling = ceiling_bytes
        self._pinned = pinned
        self._locks: defaultdict[str, Lock] = defaultdict(Lock)
        self._making_room = Lock()
        self._coming: dict[str, int] = {}

    def path(self, sha512: str) -> Path:
        """Where the image with this checksum is, or would be."""
        return self._folder / names.sha512(sha512)

    def ensure(self, image: ImageSpec) -> Path:
        """The image is here, whole, checked and of a harmless kind; its path. Raises Fatal and Transient."""
        path = self.path(image.sha512)
        with self._locks[image.sha512]:
            if path.exists():
                os.utime(path)  # the time of last use, for eviction
            else:
                self._fetch(image, path)
        check_kind(path, image.disk_format)
        return path

    def give(self, image_id: str, operation_id: str, source: Path) -> None:
        """Hand a file over as the bytes of the image that an operation makes. Raises Fatal and Transient."""
        if self._source is None:
            raise Fatal("this host has nowhere to bring an image to")
        self._source.store(image_id, operation_id, source)

    def _fetch(self, image: ImageSpec, path: Path) -> None:
        if self._source is None:
            raise Fatal(f"this host has no source of images, and image {image.id} is not cached")
        files.private_folder(self._folder)
        self._make_room(image)
        part = path.with_name(f"{path.name}.part")
        try:
            self._source.fetch(image.id, image.sha512, part)
            _check_content(part, image.sha512)
            part.chmod(0o600)
            files.sync(part)
            part.replace(path)
            files.sync(self._folder)
        finally:
            with self._making_room:
                self._coming.pop(image.sha512, None)
        log.info("image cached", image_id=image.id, size_bytes=image.size_bytes)

    def _make_room(self, image: ImageSpec) -> None:
        """Evict the least recently used images that nobody stands on, until ``image`` fits. Raises Fatal."""
        with self._making_room:
            self._drop_remains()
            here = {path.name: path.stat() for path in self._folder.iterdir() if len(path.name) == 128}
            kept = self._pinned() | self._coming.keys()
            used = sum(stat.st_size for stat in here.values()) + sum(self._coming.values())
            for name in sorted(here.keys() - kept, key=lambda name: here[name].st_mtime_ns):
                if used + image.size_bytes <= self._ceiling:
                    break
                self.path(name).unlink(missing_ok=True)
                used -= here[name].st_size
                log.info("image evicted", sha512=name[:16])
            if used + image.size_bytes > self._ceiling:
                raise Fatal(f"the image cache is full: {used} bytes in use, {image.size_bytes} wanted")
            self._coming[image.sha512] = image.size_bytes

    def _drop_remains(self) -> None:
        """Parts of downloads that nobody went on with for a day."""
        old = time.time() - REMAINS_S
        for path in self._folder.glob("*.part*"):
            if path.name[:128] not in self._coming and path.stat().st_mtime < old:
                path.unlink(missing_ok=True)


def check_kind(path: Path, disk_format: str) -> None:
    """Refuse an image that would make QEMU open other files, or that is not what it was declared to be (S01, S02)."""
    if disk_format == "qcow2":
        qcow2_header.read(path)
    elif disk_format in ("raw", "iso"):
        with path.open("rb") as file:
            if qcow2_header.looks_like(file.read(4)):
                raise Fatal(f"image declared {disk_format} has the content of a qcow2")
    else:
        raise Fatal(f"image format {disk_format[:20]!r} is not supported by this host")


def virtual_bytes(path: Path, disk_format: str) -> int:
    """The size of the disk in the image, as its header or its length says; a multiple of 512."""
    size = qcow2_header.read(path).virtual_bytes if disk_format == "qcow2" else path.stat().st_size
    return -(-size // 512) * 512


def _check_content(part: Path, sha512: str) -> None:
    found = sha512_of(part)
    if found != sha512:
        part.unlink()
        raise Fatal(f"image content has sha512 {found[:16]}…, not {sha512[:16]}…")
