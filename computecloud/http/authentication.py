"""From a token header to an Actor. Nothing but ``X-Auth-Token`` is believed (S43)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from django.http import HttpRequest
from django.utils.module_loading import import_string

from computecloud.conf import conf
from computecloud.core.actor import Actor
from computecloud.core.errors import Unauthorized


@lru_cache(maxsize=1)
def _authenticator() -> Callable[[str], Actor]:
    found: Callable[[str], Actor] = import_string(conf().authenticator)
    return found


def actor_of(request: HttpRequest) -> Actor | None:
    """The caller, or None without a token. Raises Unauthorized for a token that is no good."""
    token = request.headers.get("X-Auth-Token")
    if not token:
        return None
    if len(token) > 512:
        raise Unauthorized
    return _authenticator()(token)
