"""Identifiers: random, and of the two shapes that OpenStack clients expect."""

from __future__ import annotations

import os
import re
import time
import uuid

UUID_LIKE = re.compile(r"^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$")


def new_uuid() -> str:
    """36 characters with dashes: servers, images, networks."""
    return str(uuid.uuid4())


def new_ordered_uuid(at: float | None = None) -> str:
    """One that sorts by the moment it was made, or ``at`` (seconds since 1970), to the millisecond.

    What is often written and listed newest first then needs no other index. UUID version 7, RFC 9562 section 5.7.
    """
    return _ordered(time.time() if at is None else at, int.from_bytes(os.urandom(10)))


def first_ordered_uuid(at: float) -> str:
    """The least that ``new_ordered_uuid`` makes from that moment on (seconds since 1970, or before)."""
    return _ordered(max(at, 0.0), 0)


def _ordered(seconds: float, random: int) -> str:
    text = f"{int(seconds * 1000):012x}7{random >> 62 & 0xFFF:03x}{1 << 63 | random & (1 << 62) - 1:016x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def new_hex() -> str:
    """32 hexadecimal characters: users and projects."""
    return uuid.uuid4().hex


def is_uuid(text: str) -> bool:
    """Whether the text is a UUID, with or without dashes."""
    return bool(UUID_LIKE.match(text))
