"""How an image gets its bytes: a lease on the row, a file beside it, a judgement, then one step to active.

queued ─begin→ saving ─finish→ active. A refused content ends in killed; an interrupted or failed upload goes back to
queued. Whoever loses the row (it was deleted, or the lease ran out) removes its own file. The project is charged before
bytes are written and gets them back only after they are gone.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import structlog
from django.db import transaction
from django.db.models import Q, QuerySet, Value
from django.db.models.functions import Now

from computecloud.conf import conf
from computecloud.core.clock import utcnow
from computecloud.core.errors import CloudError, OverQuota, TooLarge
from computecloud.core.ids import new_uuid
from integrations.images import inspect, reclaim, store
from integrations.images.errors import ContentRejected, ImageBusy, UploadAbandoned, UploadInterrupted
from integrations.images.models import Image, ImageStatus
from integrations.images.reclaim import BYTES
from operations.models.quota_gate import QuotaGate, default_limit

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 1.0
LOOK_EVERY_BYTES = 64 * 1024**2
SYNC_EVERY = 256 * 1024**2
CHARGE_STEP = 64 * 1024**2


def rules() -> inspect.Rules:
    """What this site allows in an image."""
    return inspect.Rules(
        max_virtual_bytes=conf().image_max_virtual_bytes,
        allow_vmdk=conf().image_allow_vmdk,
        require_match=conf().image_require_format_match,
    )


def check_size(project_id: str, size: int) -> None:
    """Whether so many bytes could be taken now. Raises TooLarge or OverQuota; reserves nothing."""
    if size > conf().image_max_bytes:
        raise TooLarge(f"The image is larger than the limit of {conf().image_max_bytes} bytes.")
    gate = QuotaGate.objects.filter(project_id=project_id, resource=BYTES).first()
    limit = gate.limit if gate is not None and gate.limit is not None else default_limit(BYTES)
    used = gate.used if gate is not None else 0
    if 0 <= limit < used + size:
        raise OverQuota(resource=BYTES, requested=size, used=used, limit=limit)


@dataclass
class Upload:
    """One upload in progress; ``held`` is what the project is charged for so far, in bytes."""

    image_id: str
    owner: str
    disk_format: str
    expected: int | None
    takes_over: bool = False  # from another upload, whether or not its lease still runs
    upload_id: str = field(default_factory=new_uuid)
    held: int = 0
    written: int = 0
    looked_at: float = 0.0
    looked_when: int = 0
    head: bytearray = field(default_factory=bytearray)

    def receive(self, chunks: Iterable[bytes]) -> None:
        """Take all bytes and make the image active. Raises ContentRejected, TooLarge, OverQuota, UploadAbandoned."""
        self._begin()
        try:
            part = store.create_part(self.image_id, self.upload_id)
            try:
                self._fill(part, chunks)
            finally:
                os.close(part)
        except inspect.ContentRefused as problem:
            self._give_up(ImageStatus.KILLED, str(problem))
            raise ContentRejected(reason=str(problem)) from problem
        except CloudError as problem:
            self._give_up(ImageStatus.QUEUED, str(problem))
            raise
        except BaseException:  # a broken connection, a killed worker: nothing may stay behind
            self._give_up(ImageStatus.QUEUED, "the upload was interrupted")
            raise

    def _begin(self) -> None:
        if self.expected is not None:
            check_size(self.owner, self.expected)
        before = Image.objects.filter(pk=self.image_id).values_list("upload_id", "held_bytes").first()
        earlier, self.held = before or (None, 0)
        with transaction.atomic():
            free = Q(status=ImageStatus.QUEUED) | Q(status=ImageStatus.SAVING, lease_until__lt=Now())
            if self.takes_over:
                free |= Q(status=ImageStatus.SAVING)
            mine = (
                Image.objects.alive()
                .filter(free, pk=self.image_id, upload_id=earlier, held_bytes=self.held)
                .update(
                    status=ImageStatus.SAVING,
                    upload_id=self.upload_id,
                    lease_until=Now() + Value(reclaim.LEASE),
                    updated_at=utcnow(),
                )
            )
            if not mine:
                raise self._why_not()
            self._charge(self.expected or 0)
        if earlier:
            store.remove_part(self.image_id, earlier)
            store.remove_blob(self.image_id)  # linked, but never made active

    def _why_not(self) -> CloudError:
        status = Image.objects.filter(pk=self.image_id).values_list("status", flat=True).first()
        if status is None or status == ImageStatus.DELETED:
            return UploadAbandoned(image_id=self.image_id)
        return ImageBusy(status=status, wanted=ImageStatus.SAVING)

    def _fill(self, part: int, chunks: Iterable[bytes]) -> None:
        # Glance publishes an MD5 of every image; it protects nothing here
        md5, sha512 = hashlib.md5(usedforsecurity=False), hashlib.sha512()
        judged, synced = False, 0
        for chunk in chunks:
            self._still_wanted()
            self._grow(len(chunk))
            if not judged:
                self.head += chunk[: inspect.HEAD_BYTES - len(self.head)]
                if len(self.head) >= inspect.HEAD_BYTES:
                    inspect.judge(inspect.Head(bytes(self.head)), self.disk_format, rules())
                    judged = True
            md5.update(chunk)
            sha512.update(chunk)
            _write(part, chunk)
            if self.written - synced >= SYNC_EVERY:  # else the last fsync of a large image could outlast the lease
                os.fdatasync(part)
                synced = self.written
        if self.expected is not None and self.written != self.expected:
            raise UploadInterrupted(got=self.written, expected=self.expected)
        virtual_size = inspect.judge(inspect.WholeFile(part, self.written), self.disk_format, rules())
        store.publish(self.image_id, self.upload_id, part)
        try:
            self._finish(md5.hexdigest(), sha512.hexdigest(), virtual_size)
        except BaseException:
            store.withdraw(self.image_id, part)
            raise

    def _still_wanted(self) -> None:
        """Renew the lease; whoever lost the row stops here."""
        now = time.monotonic()
        if now - self.looked_at < LOOK_EVERY_S and self.written - self.looked_when < LOOK_EVERY_BYTES:
            return
        self.looked_at, self.looked_when = now, self.written
        if not self._row().update(lease_until=Now() + Value(reclaim.LEASE)):
            raise UploadAbandoned(image_id=self.image_id)

    def _grow(self, length: int) -> None:
        self.written += length
        if self.written > conf().image_max_bytes or (self.expected is not None and self.written > self.expected):
            raise TooLarge(
                f"The image is larger than {min(self.expected or self.written, conf().image_max_bytes)} bytes."
            )
        if self.written > self.held:
            with transaction.atomic():
                self._charge(self.held + max(CHARGE_STEP, length))

    def _charge(self, total: int) -> None:
        """Set what the project is charged for this upload to ``total`` bytes."""
        step = total - self.held
        if step > 0:
            QuotaGate.add(self.owner, {BYTES: step})
        elif step < 0:
            QuotaGate.give_back(self.owner, {BYTES: -step})
        if not self._row().update(held_bytes=total):
            raise UploadAbandoned(image_id=self.image_id)
        self.held = total

    def _row(self) -> QuerySet[Image]:
        return Image.objects.filter(pk=self.image_id, upload_id=self.upload_id, status=ImageStatus.SAVING)

    def _finish(self, md5: str, sha512: str, virtual_size: int | None) -> None:
        with transaction.atomic():
            self._charge(self.written)
            won = self._row().update(
                status=ImageStatus.ACTIVE, md5=md5, sha512=sha512, size_bytes=self.written,
                virtual_size_bytes=virtual_size, upload_id=None, lease_until=None, message="", updated_at=utcnow(),
            )  # fmt: skip
            if not won:
                raise UploadAbandoned(image_id=self.image_id)
        log.info("image active", image_id=self.image_id, size_bytes=self.written)

    def _give_up(self, status: ImageStatus, reason: str) -> None:
        """Remove what was written, then give the quota back, then free the row if it is still ours."""
        store.remove_part(self.image_id, self.upload_id)
        reclaim.release_bytes(self.image_id, self.upload_id)
        freed = self._row().update(
            status=status, upload_id=None, lease_until=None, message=reason[:255], updated_at=utcnow()
        )
        log.info("image upload ended", image_id=self.image_id, reason=reason, row_freed=bool(freed))


def _write(part: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    with store.no_space_is_ours():
        while view:
            view = view[os.write(part, view) :]
