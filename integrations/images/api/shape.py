"""How an image looks to a client, and which column stands behind which public name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from computecloud.core.clock import iso
from integrations.images.models import Image, ImageMember, ImageTag

COLUMNS = {
    "name": "name",
    "disk_format": "disk_format",
    "container_format": "container_format",
    "visibility": "visibility",
    "size": "size_bytes",
    "virtual_size": "virtual_size_bytes",
    "status": "status",
    "checksum": "md5",
    "protected": "is_protected",
    "min_ram": "min_ram_mb",
    "min_disk": "min_disk_gb",
    "owner": "owner",
    "os_hidden": "is_hidden",
    "os_hash_value": "sha512",
    "id": "id",
    "created_at": "created_at",
    "updated_at": "updated_at",
}
READ = (*COLUMNS.values(), "properties")


def image(row: tuple[Any, ...], tags: list[str]) -> dict[str, Any]:
    """One image from a row of ``READ``. Custom properties stand beside the others and never hide one."""
    shown: dict[str, Any] = dict(row[-1])
    shown |= zip(COLUMNS, row, strict=False)
    for name in ("created_at", "updated_at"):
        shown[name] = _when(shown[name])
    here = f"/v2/images/{shown['id']}"
    shown |= {
        "os_hash_algo": "sha512" if shown["os_hash_value"] else None,
        "tags": tags,
        "self": here,
        "file": f"{here}/file",
        "schema": "/v2/schemas/image",
    }
    return shown


def images(rows: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Many images: one more query for all their tags."""
    rows = list(rows)
    place = READ.index("id")
    tags: dict[str, list[str]] = defaultdict(list)
    for image_id, tag in ImageTag.objects.filter(image_id__in=[row[place] for row in rows]).values_list(
        "image_id", "tag"
    ):
        tags[image_id].append(tag)
    return [image(row, tags.get(row[place], [])) for row in rows]


def one(row: Image) -> dict[str, Any]:
    """One image from its model."""
    return images([tuple(getattr(row, column) for column in READ)])[0]


def member(row: ImageMember) -> dict[str, Any]:
    return {
        "image_id": row.image_id,
        "member_id": row.member,
        "status": row.status,
        "created_at": _when(row.created_at),
        "updated_at": _when(row.updated_at),
        "schema": "/v2/schemas/member",
    }


def _when(moment: datetime) -> str | None:
    return iso(moment)
