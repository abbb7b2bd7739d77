"""What tells whether a file came as it was sent."""

from __future__ import annotations

import hashlib
from pathlib import Path


def sha512_of(path: Path) -> str:
    """In lower-case hex, as Glance's ``os_hash_value``."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha512").hexdigest()
