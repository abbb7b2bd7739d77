"""Answers: JSON by orjson, nothing negotiated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from django.http import HttpResponse


def answer(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """A JSON answer."""
    response = HttpResponse(orjson.dumps(data), content_type="application/json", status=status)
    for name, value in (headers or {}).items():
        response[name] = value
    return response


def empty(status: int = 204, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """An answer without a body."""
    response = HttpResponse(b"", status=status)
    del response["Content-Type"]
    for name, value in (headers or {}).items():
        response[name] = value
    return response
