"""The only door to the image service for the rest of the cloud.

All functions are local to this process and its database; ``get`` costs one indexed query at most, and none within two
seconds of the last one: what an active image is never changes.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO

from computecloud.core.actor import Actor
from integrations.images import records, store
from integrations.images.errors import BytesMissing, ImageNotFound
from integrations.images.incoming import Incoming
from integrations.images.models import Image as Row
from integrations.images.models import ImageMember, ImageStatus, Visibility
from integrations.images.reclaim import remove_strays, sweep
from integrations.images.soundness import Damage, damaged
from integrations.images.uploads import Upload

__all__ = [
    "Damage", "Image", "Incoming", "change_properties", "create", "damaged", "delete", "discard", "forget", "get",
    "get_many", "known", "open_blob", "query", "remove_strays", "store_bytes", "sweep",
]  # fmt: skip

FRESH_S = 2.0
MOST_CACHED = 4096


@dataclass(frozen=True, slots=True)
class Image:
    """An image as others may know it. ``size`` and ``virtual_size`` are bytes, null until there are bytes."""

    id: str
    name: str
    status: str
    owner: str
    visibility: str
    disk_format: str | None
    container_format: str | None
    size: int | None
    virtual_size: int | None
    checksum: str | None
    sha512: str | None
    min_disk_gb: int
    min_ram_mb: int
    properties: Mapping[str, str] = field(default_factory=dict)
    created_at: datetime | None = None
    updated_at: datetime | None = None
    protected: bool = False

    @property
    def is_active(self) -> bool:
        return self.status == ImageStatus.ACTIVE


COLUMNS = (
    "id", "name", "status", "owner", "visibility", "disk_format", "container_format", "size_bytes",
    "virtual_size_bytes", "md5", "sha512", "min_disk_gb", "min_ram_mb", "properties", "created_at", "updated_at",
    "is_protected",
)  # fmt: skip
_images: dict[str, tuple[float, Image]] = {}
_offers: dict[tuple[str, str], tuple[float, bool]] = {}


def get(actor: Actor, image_id: str) -> Image:
    """One image, at most two seconds old. Raises ImageNotFound (404), also for one the actor may not see."""
    image = _cached(image_id)
    if image is None or not _visible(actor, image):
        raise ImageNotFound(image_id=image_id)
    return image


def known(image_id: str) -> Image | None:
    """One image by its id, whoever owns it, at most two seconds old; None when there is none."""
    return _cached(image_id)


def get_many(ids: Iterable[str]) -> dict[str, Image]:
    """Images by id, whoever owns them; ids without an image are left out. One query."""
    rows = Row.objects.alive().filter(pk__in=set(ids)).values_list(*COLUMNS)
    return {row[0]: _image(row) for row in rows}


def query(actor: Actor, **filters: Any) -> list[Image]:
    """The actor's default list, newest first; ``filters`` are Django lookups on the image model."""
    rows = Row.objects.listed_for(actor).filter(is_hidden=False, **filters)
    return [_image(row) for row in rows.values_list(*COLUMNS)]


def open_blob(image_id: str, offset: int = 0) -> tuple[BinaryIO, int]:
    """The bytes of an active image from ``offset`` on, and the image's whole size. The caller closes the file.

    For the conductor: no actor is asked. Raises ImageNotFound or BytesMissing.
    """
    image = _cached(image_id)
    if image is None or image.size is None or image.status not in (ImageStatus.ACTIVE, ImageStatus.DEACTIVATED):
        raise ImageNotFound(image_id=image_id)
    blob = store.open_blob(image_id)
    if blob.seek(0, 2) != image.size:
        blob.close()
        raise BytesMissing(image_id=image_id)
    blob.seek(offset)
    return blob, image.size


def create(
    actor: Actor,
    name: str,
    *,
    disk_format: str | None = None,
    container_format: str | None = "bare",
    visibility: str = Visibility.PRIVATE,
    min_disk_gb: int = 0,
    min_ram_mb: int = 0,
    properties: Mapping[str, str] | None = None,
) -> Image:
    """A queued image in the actor's project: the place for a snapshot. Raises OverQuota."""
    row = records.create(
        actor,
        {
            "name": name, "disk_format": disk_format, "container_format": container_format, "visibility": visibility,
            "min_disk_gb": min_disk_gb, "min_ram_mb": min_ram_mb, "properties": dict(properties or {}),
        },
    )  # fmt: skip
    return _image(tuple(getattr(row, column) for column in COLUMNS))


def store_bytes(image_id: str, chunks: Iterable[bytes], size: int | None = None) -> Image:
    """Take the bytes of an unborn image (a snapshot's, from the conductor), judge them, make it active.

    ``size``: how many bytes are promised. An upload of the same image that is under way loses: the caller knows that it
    is an earlier attempt of its own. Raises ContentRejected, TooLarge, OverQuota, ImageBusy, UploadAbandoned.
    """
    row = Row.objects.alive().filter(pk=image_id).first()
    if row is None:
        raise ImageNotFound(image_id=image_id)
    Upload(image_id, row.owner or "", row.disk_format or "raw", size, takes_over=True).receive(chunks)
    forget(image_id)
    return get_many([image_id])[image_id]


def change_properties(actor: Actor, image_id: str, properties: Mapping[str, str]) -> Image:
    """Replace the custom properties of an own image."""
    records.change(actor, records.own(actor, image_id), {"properties": dict(properties)})
    forget(image_id)
    return get(actor, image_id)


def delete(actor: Actor, image_id: str) -> None:
    """Delete an own image. Raises ImageNotFound, ImageProtected."""
    records.delete(actor, image_id)
    forget(image_id)


def discard(image_id: str) -> None:
    """Remove the image of a snapshot that failed; nothing happens when it is gone or already active."""
    records.discard(image_id)
    forget(image_id)


def forget(image_id: str) -> None:
    """Read the image anew next time, in this process."""
    _images.pop(image_id, None)


def _image(row: tuple[Any, ...]) -> Image:
    return Image(row[0], row[1] or "", row[2], row[3] or "", *row[4:])


def _cached(image_id: str) -> Image | None:
    now = time.monotonic()
    found = _images.get(image_id)
    if found is not None and found[0] > now:
        return found[1]
    row = Row.objects.alive().filter(pk=image_id).values_list(*COLUMNS).first()
    if row is None:
        _images.pop(image_id, None)
        return None
    image = _image(row)
    if image.is_active:
        if len(_images) >= MOST_CACHED:
            _images.clear()
        _images[image_id] = (now + FRESH_S, image)
    return image


def _visible(actor: Actor, image: Image) -> bool:
    if actor.is_admin or image.visibility in (Visibility.PUBLIC, Visibility.COMMUNITY):
        return True
    if actor.project_id is None:
        return False
    return image.owner == actor.project_id or (
        image.visibility == Visibility.SHARED and _offered(image.id, actor.project_id)
    )


def _offered(image_id: str, project_id: str) -> bool:
    now = time.monotonic()
    found = _offers.get((image_id, project_id))
    if found is not None and found[0] > now:
        return found[1]
    offered = ImageMember.objects.filter(image_id=image_id, member=project_id).exists()
    if len(_offers) >= MOST_CACHED:
        _offers.clear()
    _offers[image_id, project_id] = (now + FRESH_S, offered)
    return offered
