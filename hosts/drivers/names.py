"""Which ids may become a file name, a domain name or an argument on a host."""

from __future__ import annotations

import re

from hosts.drivers.errors import Fatal

_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}")
_TARGET = re.compile(r"(?:[vsh]|xv)d[a-z]{1,2}|rescue")


def guest_id(value: str) -> str:
    """``value`` when it is a plain id (letters, digits, dashes; at most 64). Raises Fatal."""
    if not _ID.fullmatch(value):
        raise Fatal(f"not an id: {value[:80]!r}")
    return value


def disk_target(value: str) -> str:
    """``value`` when it is a plain device name such as ``vda``, or the word for a rescue disk. Raises Fatal."""
    if not _TARGET.fullmatch(value):
        raise Fatal(f"not a device name: {value[:80]!r}")
    return value


def sha512(value: str) -> str:
    """``value`` when it is a SHA-512 in lower-case hex. Raises Fatal."""
    if len(value) != 128 or value.strip("0123456789abcdef"):
        raise Fatal(f"not a sha512: {value[:140]!r}")
    return value
