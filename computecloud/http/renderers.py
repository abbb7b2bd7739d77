"""Content is not negotiated: every API answer is JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import JSONRenderer


class AlwaysJson(BaseContentNegotiation):
    """The first renderer, whatever Accept says."""

    def select_parser(self, request: Any, parsers: Iterable[Any]) -> Any:
        return next(iter(parsers))

    def select_renderer(self, request: Any, renderers: Iterable[Any], format_suffix: str | None = None) -> Any:
        return next(iter(renderers)), JSONRenderer.media_type
