"""Hosts as answers about servers name them: read for all at once, kept a few seconds, one query for any list."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha224

from hosts.models import Host

FRESH_S = 5.0
HOST_STATUSES = ("UP", "UNKNOWN", "DOWN", "MAINTENANCE", "")


@dataclass(frozen=True, slots=True)
class HostFacts:
    """A host's label and Nova's word for how it is; ``""`` for a server that has no host."""

    name: str
    status: str


NOWHERE = HostFacts("", "")
_hosts: dict[str, HostFacts] = {}
_read_at = float("-inf")


def _status(host: Host) -> str:
    if host.is_disabled:
        return "MAINTENANCE"
    if host.is_forced_down:
        return "DOWN"
    return "UP" if host.is_up else "UNKNOWN"


def _read() -> None:
    global _hosts, _read_at
    columns = ("id", "name", "is_disabled", "is_forced_down", "lease_expires_at")
    _hosts = {host.id: HostFacts(host.name, _status(host)) for host in Host.objects.with_liveness().only(*columns)}
    _read_at = time.monotonic()


def facts(host_id: str | None) -> HostFacts:
    """Of a server's host. An id that is not known yet is looked up at once."""
    if host_id is None:
        return NOWHERE
    if time.monotonic() - _read_at > FRESH_S or host_id not in _hosts:
        _read()
    return _hosts.get(host_id, NOWHERE)


def id_of(name: str) -> str | None:
    """A host's id by its name."""
    for fresh in (False, True):
        if fresh or time.monotonic() - _read_at > FRESH_S:
            _read()
        for host_id, host in _hosts.items():
            if host.name == name:
                return host_id
    return None


def forget() -> None:
    """Read the hosts anew at the next question."""
    global _read_at
    _hosts.clear()
    _read_at = float("-inf")


@lru_cache(maxsize=4096)
def public_id(project_id: str, host_name: str) -> str:
    """``hostId``: tells a project whether two of its servers share a host, and nothing else. "" without a host."""
    return sha224((project_id + host_name).encode()).hexdigest() if host_name else ""
