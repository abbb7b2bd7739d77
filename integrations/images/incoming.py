"""The bytes of an image as they come in over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from computecloud.core.errors import Invalid

PIECE = 1024 * 1024
DRAIN_S = 60.0


class LengthRequired(Invalid):
    status = 411
    message = "The data of an image must come with a Content-Length."


class Incoming:
    """A request's body in pieces, with its length.

    The WSGI server ends a chunked body that broke off exactly as one that is complete, so only a body with a length can
    be trusted to be whole (F14). The front gathers chunked ones and sends them on with their length.
    """

    def __init__(self, raw: Any) -> None:
        length = raw.META.get("CONTENT_LENGTH") or ""
        if not length.isdigit() or "Transfer-Encoding" in raw.headers:
            raise LengthRequired
        self.length = int(length)
        self._stream = raw
        self._done = False

    def __iter__(self) -> Iterator[bytes]:
        while piece := self._stream.read(PIECE):
            yield piece
        self._done = True

    def drain(self) -> None:
        """Read on, for a while, after a refusal."""
        until = time.monotonic() + DRAIN_S
        while not self._done and time.monotonic() < until:
            try:
                self._done = not self._stream.read(PIECE)
            except OSError:  # the client is gone
                return
