"""A request with a key of its client's choice (``X-Request-Key``) is done once, however often it is sent (F01).

A client whose answer was lost repeats the request with the same key and gets the server that the first one made. It
belongs to the project, and is a unique column of the operation: two at the same moment cannot both win.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson

from computecloud.core.actor import Actor
from computecloud.core.errors import Conflict, Invalid
from instances.models import Instance
from operations import sealed
from operations.models import Operation

HEADER = "X-Request-Key"
LONGEST = 128


class KeyUsedOtherwise(Conflict):
    message = "The request key was used for another request before."


@dataclass(frozen=True, slots=True)
class RequestKey:
    """``digest``: of the body that came with it; the same key with another body is a mistake of the client."""

    key: str
    digest: str


def read(headers: Mapping[str, str], body: Mapping[str, Any]) -> RequestKey | None:
    """The request's key, if it has one. Raises Invalid."""
    key = headers.get(HEADER)
    if key is None:
        return None
    if not 1 <= len(key) <= LONGEST or not key.isascii() or not key.isprintable():
        raise Invalid(f"{HEADER} must be 1 to {LONGEST} printable ASCII characters.")
    return RequestKey(key, sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest())


def earlier(actor: Actor, key: RequestKey | None) -> tuple[Instance, str | None] | None:
    """The server that the key made before, with its password while that is still known. Raises KeyUsedOtherwise."""
    if key is None:
        return None
    made = Operation.objects.filter(project_id=actor.project_id or "", request_key=key.key).first()
    if made is None:
        return None
    if made.args.get("request_digest") != key.digest:
        raise KeyUsedOtherwise
    server = Instance.objects.get(id=made.subject_id)
    return server, sealed.unseal(made.sealed).get("admin_password")
