"""Whether the bytes of images are still what they were when they were judged."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from integrations.images import store
from integrations.images.errors import BytesMissing
from integrations.images.models import Image, ImageStatus

MISSING = "its file is not there"
CHUNK = 2**20


@dataclass(frozen=True, slots=True)
class Damage:
    """An image that cannot be given to a host. ``is_missing``: there are no bytes at all."""

    image_id: str
    name: str
    is_missing: bool
    what: str


def damaged(largest_read: int) -> Iterator[Damage]:
    """Every finished image whose bytes are gone, cut or changed; only those up to ``largest_read`` bytes are read."""
    finished = Image.objects.alive().filter(status__in=(ImageStatus.ACTIVE, ImageStatus.DEACTIVATED))
    for image_id, name, size, sha512 in finished.values_list("id", "name", "size_bytes", "sha512"):
        what = _damage(image_id, size, sha512 if size is None or size <= largest_read else None)
        if what:
            yield Damage(image_id, name or "", what is MISSING, what)


def _damage(image_id: str, size: int | None, sha512: str | None) -> str:
    """What is wrong with one; empty when nothing is. The checksum None is not asked for."""
    try:
        blob = store.open_blob(image_id)
    except BytesMissing:
        return MISSING
    with blob:
        found = blob.seek(0, 2)
        if found != size:
            return f"its file has {found} bytes, not {size}"
        blob.seek(0)
        if sha512 and _sha512(blob) != sha512:
            return "its bytes have another checksum than its record"
    return ""


def _sha512(blob: BinaryIO) -> str:
    total = hashlib.sha512()
    while chunk := blob.read(CHUNK):
        total.update(chunk)
    return total.hexdigest()
