"""Columns that only an app above can read: it registers how, and is asked when somebody needs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

ImageProperties = Mapping[tuple[str, str], Mapping[str, int]]
"""(name, value) of an image property → host id → servers there whose image has it."""

_image_properties: list[Callable[[], ImageProperties]] = []


def register_image_properties(read: Callable[[], ImageProperties]) -> None:
    """Called once, when the app that has the servers is ready."""
    _image_properties[:] = [read]


def image_properties() -> ImageProperties:
    return _image_properties[0]() if _image_properties else {}
