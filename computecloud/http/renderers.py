"""Content is not negotiated: every API answer is JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import JSONRenderer


class AlwaysJson(BaseContentNegotiation):
    """The first renderer, whatever Accept says."""

    def select_parser(self, request: Any, parsers: Sequence[Any]) -> Any:
        return parsers[0]

    def select_renderer(self, request: Any, renderers: Sequence[Any], format_suffix: str | None = None) -> Any:
        return renderers[0], JSONRenderer.media_type
