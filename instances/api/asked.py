"""One action asked of one server, and what the table of actions says of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse

from computecloud.http.microversions import VersionedSchema
from computecloud.http.services import Version
from instances.models import Instance


@dataclass(frozen=True, slots=True)
class Asked:
    """One action asked of one server."""

    actor: Any
    server: Instance
    request_id: str
    version: Version
    args: Any


Handler = Callable[[Asked], HttpResponse]


@dataclass(frozen=True, slots=True)
class Entry:
    """An action: its rule, what its body may be, since and until which version, and who does it."""

    rule: str
    schema: VersionedSchema
    handle: Handler
    since: str = "2.1"
    until: str | None = None
