"""Identifiers: random, and of the two shapes that OpenStack clients expect."""

from __future__ import annotations

import re
import uuid

UUID_LIKE = re.compile(r"^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$")


def new_uuid() -> str:
    """36 characters with dashes: servers, images, networks."""
    return str(uuid.uuid4())


def new_hex() -> str:
    """32 hexadecimal characters: users and projects."""
    return uuid.uuid4().hex


def is_uuid(text: str) -> bool:
    """Whether the text is a UUID, with or without dashes."""
    return bool(UUID_LIKE.match(text))
