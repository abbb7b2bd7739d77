"""Checking passwords: the same work whether or not the account exists, and only so many at once (S45, S46)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from secrets import token_urlsafe

from django.contrib.auth.hashers import check_password, make_password

from computecloud.conf import conf
from computecloud.core.errors import Unavailable

LONGEST = 128
QUEUE_S = 10.0


@lru_cache(maxsize=1)
def _gate() -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(conf().identity_login_concurrency)


@contextmanager
def _turn() -> Iterator[None]:
    """Wait for a place among those who hash. Raises Unavailable after QUEUE_S."""
    if not _gate().acquire(timeout=QUEUE_S):
        raise Unavailable("Too many logins at once; try again.")
    try:
        yield
    finally:
        _gate().release()


@lru_cache(maxsize=1)
def _nobody() -> str:
    """A hash that no password fits, at the cost of a real one."""
    return make_password(token_urlsafe(32))


def hashed(password: str) -> str:
    """The stored form of a password or secret."""
    with _turn():
        return make_password(password)


def fits(password: str, stored: str | None) -> bool:
    """Whether the password is the stored one. ``None`` (no such account) takes as long and is never true."""
    if len(password) > LONGEST:
        return False
    nobody = _nobody()
    known = stored if stored is not None and not stored.startswith("!") else nobody
    with _turn():
        matches = check_password(password, known)
    return matches and known is not nobody
