"""An image's bytes over HTTP: uploaded and downloaded in pieces, never whole in memory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from computecloud.conf import conf
from computecloud.core.actor import Actor
from computecloud.core.errors import Invalid, TooLarge, Unauthorized, UnsupportedMedia
from computecloud.http import policy as policies
from computecloud.http.answers import empty
from computecloud.http.bodies import LARGEST_BODY
from computecloud.http.views import ServiceViewSet
from integrations.images import facade, records, store
from integrations.images.errors import ImageBusy, ImageDeactivated
from integrations.images.incoming import PIECE, Incoming, LengthRequired
from integrations.images.models import Image, ImageStatus
from integrations.images.uploads import Upload, check_size

_FILE = re.compile(r"^/image/v2/images/([^/?]+)/file$")
_RANGE = re.compile(r"^bytes=(\d{1,18})-(\d{0,18})$|^bytes=-(\d{1,18})$")


class RangeRefused(Invalid):
    status = 416
    message = "The range cannot be satisfied; the image has {size} bytes."


class ImageDataViewSet(ServiceViewSet):
    """/v2/images/{id}/file."""

    service = "image"
    policy = {
        "upload": "image:upload",
        "download": "image:download",
        "stage": "image:import",
    }

    def upload(self, request: Any, image_id: str) -> HttpResponse:
        raw = request._request
        image = _wanted(self.actor, raw, image_id)
        source = Incoming(raw)
        try:
            Upload(image.id, image.owner or "", image.disk_format or "", source.length).receive(source)
        finally:
            source.drain()  # a client that is still sending would see a broken connection instead of the answer
            facade.forget(image_id)
        return empty(204)

    def download(self, request: Any, image_id: str) -> HttpResponseBase:
        image = records.seen(self.actor, image_id)
        if image.status == ImageStatus.DEACTIVATED and not self.actor.is_admin:
            raise ImageDeactivated
        if image.status not in (ImageStatus.ACTIVE, ImageStatus.DEACTIVATED) or image.size_bytes is None:
            return empty(204)
        if conf().image_bytes_by_front:
            return _sent_by_front(image_id, image.md5 or "")
        return _sent(image_id, image.size_bytes, image.md5 or "", request._request.headers.get("Range"))

    def stage(self, request: Any, image_id: str) -> HttpResponse:
        records.own(self.actor, image_id)
        raise Invalid("Staging is not offered; upload the image's data with PUT /v2/images/{image_id}/file.")


class UploadCheckViewSet(ServiceViewSet):
    """The front asks here before it takes a body, and names the request in headers.

    204: let it come. Else 403, with the answer for the client in headers: nginx has no other way to tell it.
    """

    service = "image"
    policy = {"check": "image:upload_check"}

    def check(self, request: Any) -> HttpResponse:
        raw = request._request
        path = _FILE.match(raw.headers.get("X-Image-Path", ""))
        if path is None or raw.headers.get("X-Image-Method") != "PUT":
            _check_small(raw)
            return empty(204)  # a download, say: its own view asks who it is
        if request.actor is None:
            raise Unauthorized
        policies.authorize(request.actor, "image:upload")
        _wanted(request.actor, raw, path[1])
        return empty(204)

    def handle_exception(self, exc: Exception) -> Any:
        refusal = super().handle_exception(exc)
        text = json.dumps(json.loads(refusal.content))  # ASCII only: it travels in a header
        return empty(403, {"X-Refusal-Status": str(refusal.status_code), "X-Refusal": text})


def _check_small(raw: Any) -> None:
    """What is no upload, however it is spelt, may send no more than anywhere else. Raises TooLarge or LengthRequired.

    The front would keep gigabytes on its disk before anybody asked who sends them.
    """
    length = raw.headers.get("X-Body-Length", "")
    if raw.headers.get("X-Body-Coding"):
        raise LengthRequired("Only the data of an image may come without a Content-Length.")
    if length and not (length.isdigit() and int(length[:18]) <= LARGEST_BODY):
        raise TooLarge


def _wanted(actor: Actor, raw: Any, image_id: str) -> Image:
    """The image whose bytes are offered. Raises for every reason against them that can be known before."""
    if raw.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/octet-stream":
        raise UnsupportedMedia("The data of an image is sent as application/octet-stream.")
    image = records.own(actor, image_id)
    if image.status not in (ImageStatus.QUEUED, ImageStatus.SAVING):
        raise ImageBusy(status=image.status, wanted=ImageStatus.SAVING)
    if image.disk_format is None or image.container_format is None:
        raise Invalid("Properties disk_format, container_format must be set prior to saving data.")
    length = raw.META.get("CONTENT_LENGTH") or raw.headers.get("X-Body-Length", "")
    if length.isdigit():
        check_size(image.owner or "", int(length[:18]))
    return image


def _sent_by_front(image_id: str, md5: str) -> HttpResponse:
    """nginx sends the file, ranges and all, and no thread waits for a slow client."""
    response = HttpResponse(b"", content_type="application/octet-stream")
    response["X-Accel-Redirect"] = f"/.image-bytes/{image_id}"
    response["Content-MD5"] = md5
    return response


def _sent(image_id: str, size: int, md5: str, wanted: str | None) -> StreamingHttpResponse:
    first, last = _span(wanted, size)
    blob = store.open_blob(image_id)
    blob.seek(first)
    response = StreamingHttpResponse(_Pieces(blob, last - first + 1), content_type="application/octet-stream")
    response["Content-Length"] = str(last - first + 1)
    response["Accept-Ranges"] = "bytes"
    if wanted:
        response.status_code = 206
        response["Content-Range"] = f"bytes {first}-{last}/{size}"
    else:
        response["Content-MD5"] = md5
    return response


def _span(wanted: str | None, size: int) -> tuple[int, int]:
    """First and last byte of one range (RFC 9110); the whole without one."""
    if not wanted:
        return 0, size - 1
    found = _RANGE.match(wanted.strip())
    if not found:
        raise RangeRefused(size=size)
    if found[3] is not None:
        first, last = max(size - int(found[3]), 0), size - 1
    else:
        first, last = int(found[1]), min(int(found[2] or size), size - 1)
    if not first <= last < size:
        raise RangeRefused(size=size)
    return first, last


class _Pieces:
    """So many bytes of a file, in pieces; Django calls ``close`` even when nobody read."""

    def __init__(self, blob: BinaryIO, left: int) -> None:
        self._blob, self._left = blob, left

    def __iter__(self) -> Iterator[bytes]:
        while self._left > 0 and (piece := self._blob.read(min(PIECE, self._left))):
            self._left -= len(piece)
            yield piece

    def close(self) -> None:
        self._blob.close()
