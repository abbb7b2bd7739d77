"""Disks between two hosts: what a moving server's old host brought and its new one has not fetched for good yet.

One folder per move beside the images, which nobody else may enter. It is temporary: the old host keeps its disks until
the move is settled, so nothing here has to survive a loss of power.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import BinaryIO

from django.db import transaction

from computecloud.conf import conf
from computecloud.core.errors import Invalid, NotFound, TooLarge
from computecloud.core.ids import is_uuid, new_uuid
from instances.models import Move

GIB = 2**30
SLACK = 1 + 1 / 16  # of a qcow2 over its disk: its tables
SPARE = 256 * 2**20  # bytes that stay free on the cloud's own disk
_DISK = re.compile(r"vd[a-z]")


def store(move: Move, disk: str, chunks: Iterable[bytes], length: int) -> None:
    """Keep a disk's bytes; what was there before is replaced. Raises TooLarge, Invalid."""
    place = _place(move.uuid, disk)
    if length > _most(move) or length + SPARE > shutil.disk_usage(conf().state_dir).free:
        raise TooLarge
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = place.with_name(f"{disk}.{new_uuid()}.part")
    try:
        got = 0
        with part.open("xb") as file:
            part.chmod(0o600)
            for chunk in chunks:
                got += len(chunk)
                file.write(chunk)
        if got != length:
            raise Invalid(f"{got} bytes came, not {length}")
        part.replace(place)
    finally:
        part.unlink(missing_ok=True)


def opened(move: Move, disk: str) -> tuple[BinaryIO, int]:
    """The disk's bytes and how many there are. Raises NotFound."""
    place = _place(move.uuid, disk)
    try:
        return place.open("rb"), place.stat().st_size
    except FileNotFoundError:
        raise NotFound(f"nothing of {disk} is on its way") from None


def drop_on_commit(move_id: str) -> None:
    """Nothing of the move is kept here once the surrounding transaction has committed."""
    transaction.on_commit(partial(shutil.rmtree, _folder() / move_id, ignore_errors=True), robust=True)


def remove_strays() -> None:
    """What is of no open move: a process died between its end and the removal."""
    if not _folder().is_dir():
        return
    here = {place.name for place in _folder().iterdir()}
    for name in here - set(Move.objects.filter(is_open=True).values_list("uuid", flat=True)):
        shutil.rmtree(_folder() / name, ignore_errors=True)


def _folder() -> Path:
    return Path(conf().state_dir) / "moves"


def _place(move_id: str, disk: str) -> Path:
    if not is_uuid(move_id) or not _DISK.fullmatch(disk):
        raise NotFound("no such disk")
    return _folder() / move_id / disk


def _most(move: Move) -> int:
    """Bytes that a disk of the server may have; a root disk of its image's size is bound by what images may have."""
    flavor = move.old_flavor
    largest = max(flavor["disk_gb"], flavor["ephemeral_gb"]) * GIB
    return int((largest if flavor["disk_gb"] else max(largest, conf().image_max_virtual_bytes)) * SLACK)
