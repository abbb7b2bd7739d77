"""Taking bytes back: of deleted images, of uploads that died, of files that no row knows."""

from __future__ import annotations

import time
from datetime import timedelta

import structlog
from django.db import transaction
from django.db.models import Q, Value
from django.db.models.functions import Now

from computecloud.core.ids import new_uuid
from integrations.images import store
from integrations.images.models import Image, ImageStatus
from operations.models.quota_gate import QuotaGate

log = structlog.get_logger(__name__)

BYTES = "image_bytes"  # the quota's name
LEASE = timedelta(seconds=60)
STRAY_AFTER_S = 3600
AT_ONCE = 500


def release_bytes(image_id: str, upload_id: str | None) -> None:
    """Give the project back what an image holds; the bytes must be gone. Safe to repeat."""
    row = Image.objects.filter(pk=image_id, upload_id=upload_id).values_list("owner", "held_bytes").first()
    if row is None or not row[1]:
        return
    owner, held = row
    with transaction.atomic():
        if Image.objects.filter(pk=image_id, upload_id=upload_id, held_bytes=held).update(held_bytes=0) and owner:
            QuotaGate.give_back(owner, {BYTES: held})


def purge(image_id: str, upload_id: str | None) -> None:
    """Remove a deleted image's bytes. While somebody still uploads, the charge is left for that upload to return."""
    if upload_id is not None:
        store.remove_part(image_id, upload_id)
    store.remove_blob(image_id)
    if upload_id is None:
        release_bytes(image_id, None)


def sweep() -> int:
    """Settle dead uploads and finish interrupted deletes: two indexed queries. Returns how many it touched."""
    touched = 0
    dead = Image.objects.filter(upload_id__isnull=False, lease_until__lt=Now())
    for image_id, upload_id in dead.values_list("id", "upload_id")[:AT_ONCE]:
        touched += _settle(image_id, str(upload_id))
    unfinished = Image.objects.filter(deleted_at__isnull=False, upload_id__isnull=True, held_bytes__gt=0)
    for image_id in unfinished.values_list("id", flat=True)[:AT_ONCE]:
        purge(image_id, None)
        touched += 1
    return touched


def _settle(image_id: str, dead_upload: str) -> int:
    """An upload whose lease ran out. The row is taken over first, so that a late writer can finish nothing."""
    mine = new_uuid()
    stale = Image.objects.filter(pk=image_id, upload_id=dead_upload, lease_until__lt=Now())
    if not stale.update(upload_id=mine, lease_until=Now() + Value(LEASE)):
        return 0
    store.remove_part(image_id, dead_upload)
    store.remove_blob(image_id)
    release_bytes(image_id, mine)
    ours = Image.objects.filter(pk=image_id, upload_id=mine)
    ours.filter(status=ImageStatus.SAVING).update(
        status=ImageStatus.QUEUED, upload_id=None, lease_until=None, message="the upload was interrupted"
    )
    ours.filter(status=ImageStatus.DELETED).update(upload_id=None, lease_until=None)
    log.info("dead upload settled", image_id=image_id)
    return 1


def remove_strays() -> int:
    """Files without a row that accounts for them, an hour old: what a crash between two steps may leave."""
    old = time.time() - STRAY_AFTER_S
    files = [file for file in store.found() if file.modified_at < old]
    if not files:
        return 0
    ids = {file.image_id for file in files}
    with_bytes = Q(status__in=(ImageStatus.ACTIVE, ImageStatus.DEACTIVATED, ImageStatus.SAVING))
    known = dict(Image.objects.filter(with_bytes, pk__in=ids).values_list("id", "upload_id"))
    touched = 0
    for file in files:
        if file.upload_id is None and file.image_id not in known:
            store.remove_blob(file.image_id)
            touched += 1
        elif file.upload_id is not None and known.get(file.image_id) != file.upload_id:
            store.remove_part(file.image_id, file.upload_id)
            touched += 1
    return touched
