"""Secrets a step needs (a generated password): encrypted at rest, wiped when the operation ends."""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import Any

import msgspec
from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from computecloud.conf import conf


def _key(secret: str) -> Fernet:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"computecloud sealed secrets").derive(
        secret.encode()
    )
    return Fernet(base64.urlsafe_b64encode(derived))


@lru_cache(maxsize=1)
def _box() -> MultiFernet:
    return MultiFernet([_key(secret) for secret in (conf().secret_key, *conf().previous_secret_keys)])


def seal(values: dict[str, Any]) -> bytes:
    """Encrypt with today's key."""
    return _box().encrypt(msgspec.json.encode(values))


def unseal(sealed: bytes | memoryview | None) -> dict[str, Any]:
    """Decrypt with today's or an older key; {} for nothing. Raises cryptography.fernet.InvalidToken."""
    if not sealed:
        return {}
    found: dict[str, Any] = msgspec.json.decode(_box().decrypt(bytes(sealed)))
    return found
