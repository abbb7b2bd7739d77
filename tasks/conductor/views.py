"""The conductor's calls. Each is short; what they mean is told in ``work.py``, ``presence.py`` and ``watch.py``."""

from __future__ import annotations

import re
from typing import Any

from django.http import FileResponse, HttpResponse

from computecloud.core.errors import Forbidden
from computecloud.http.answers import empty
from instances import transit
from instances.models import Move
from integrations.images import facade as images
from tasks.conductor import presence, watch, wire, work
from tasks.conductor.door import ConductorViewSet, answer, check_protocol

RANGE = re.compile(r"^bytes=(\d+)-$")


class PresenceViewSet(ConductorViewSet):
    """Being there: registration and the heartbeat, which is the poll too."""

    def register(self, request: Any) -> HttpResponse:
        asked = self.read(request, wire.Register)
        check_protocol(asked.protocol)
        for report in asked.hosts:
            self.own(report.id)
        presence.register(self.agent_id, asked)
        return empty()

    def beat(self, request: Any) -> HttpResponse:
        asked = self.read(request, wire.Beat)
        for host_id in {*(host.id for host in asked.hosts), *asked.heard}:
            self.own(host_id)
        return answer(presence.beat(self.agent_id, asked))


class WorkViewSet(ConductorViewSet):
    """Operations: taken, renewed, finished; each in lists."""

    def take(self, request: Any) -> HttpResponse:
        return answer(work.take(self.read(request, wire.Take), self.hosts))

    def renew(self, request: Any) -> HttpResponse:
        return answer(work.renew(self.read(request, wire.Renew), self.hosts))

    def finish(self, request: Any) -> HttpResponse:
        return answer(work.finish(self.read(request, wire.Finish), self.hosts))


class WatchViewSet(ConductorViewSet):
    """What a host sees, against the rows."""

    def observe(self, request: Any) -> HttpResponse:
        asked = self.read(request, wire.Observe)
        self.own(asked.host_id)
        return answer(watch.observe(asked))


class ImageViewSet(ConductorViewSet):
    """Image bytes for a host, resumable: only images that it needs. And a snapshot's, from a host."""

    def store(self, request: Any, pk: str) -> HttpResponse:
        """The bytes of the image that an operation makes. Once they are there, they may be offered again."""
        source = images.Incoming(request._request)
        try:
            if not work.makes_image(request._request.headers.get("X-Operation", ""), pk, self.hosts):
                raise Forbidden
            image = images.known(pk)
            if image is None or not image.is_active:
                images.store_bytes(pk, source, source.length)
        finally:
            source.drain()  # a host that is still sending would see a broken connection instead of the answer
        return empty()

    def retrieve(self, request: Any, pk: str) -> HttpResponse | FileResponse:
        if not work.needs_image(pk, self.hosts):
            raise Forbidden
        asked = RANGE.match(request._request.headers.get("Range", ""))
        offset = int(asked[1]) if asked else 0
        blob, size = images.open_blob(pk, offset)
        response = FileResponse(blob, content_type="application/octet-stream", status=206 if asked else 200)
        response["Content-Length"] = str(max(size - offset, 0))
        if asked:
            response["Content-Range"] = f"bytes {offset}-{max(size - 1, 0)}/{size}"
        return response


class MoveViewSet(ConductorViewSet):
    """Disks of a guest on its way: the old host brings them, the new one fetches them, nobody else."""

    def store(self, request: Any, move_id: str, disk: str) -> HttpResponse:
        source = images.Incoming(request._request)
        try:
            transit.store(self._move(request, move_id), disk, source, source.length)
        finally:
            source.drain()
        return empty()

    def retrieve(self, request: Any, move_id: str, disk: str) -> FileResponse:
        file, size = transit.opened(self._move(request, move_id), disk)
        response = FileResponse(file, content_type="application/octet-stream")
        response["Content-Length"] = str(size)
        return response

    def _move(self, request: Any, move_id: str) -> Move:
        move = work.carried_by(request._request.headers.get("X-Operation", ""), move_id, self.hosts)
        if move is None:
            raise Forbidden
        return move
