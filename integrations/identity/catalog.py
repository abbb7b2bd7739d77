"""The service catalogue: built-in services from settings, then what an administrator added."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from computecloud.conf import conf
from integrations.identity.models import Endpoint, Service

INTERFACES = ("admin", "internal", "public")
BUILT_IN = (
    # type, name, path below public_url
    ("identity", "keystone", "/identity"),
    ("compute", "nova", "/compute/v2.1"),
    ("image", "glance", "/image"),
    ("network", "neutron", "/network"),
    ("placement", "placement", "/placement"),
)
BLOCK_STORAGE = ("block-storage", "cinder", "/volume/v3")
_SPACE = uuid.UUID("6b6c3f0e-4a0e-4c1e-9d55-0c2f7a5b9f10")


def _fixed_id(*words: str) -> str:
    """The same id for the same built-in thing, on every cloud and after every restart."""
    return uuid.uuid5(_SPACE, "/".join(words)).hex


@dataclass(frozen=True, slots=True)
class BuiltInEndpoint:
    id: str
    interface: str
    url: str
    region_id: str


@dataclass(frozen=True, slots=True)
class BuiltInService:
    id: str
    type: str
    name: str
    endpoints: tuple[BuiltInEndpoint, ...]


@lru_cache(maxsize=1)
def built_in() -> tuple[BuiltInService, ...]:
    """The services of this installation; their addresses come from ``public_url`` only."""
    region = conf().region
    found = []
    for kind, name, path in (*BUILT_IN, *((BLOCK_STORAGE,) if conf().block_storage else ())):
        url = conf().public_url.rstrip("/") + path
        endpoints = tuple(BuiltInEndpoint(_fixed_id(kind, door), door, url, region) for door in INTERFACES)
        found.append(BuiltInService(_fixed_id(kind), kind, name, endpoints))
    return tuple(found)


def _entry(endpoint: BuiltInEndpoint | Endpoint) -> dict[str, Any]:
    region = endpoint.region_id
    return {
        "id": endpoint.id,
        "interface": endpoint.interface,
        "url": endpoint.url,
        "region": region,
        "region_id": region,
    }


@lru_cache(maxsize=1)
def _built_in_entries() -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            "id": item.id,
            "type": item.type,
            "name": item.name,
            "endpoints": [_entry(door) for door in item.endpoints],
        }
        for item in built_in()
    )


def catalog() -> list[dict[str, Any]]:
    """The catalogue as tokens carry it: [{id, type, name, endpoints: [{id, interface, url, region, region_id}]}]."""
    entries = list(_built_in_entries())
    added: dict[str, dict[str, Any]] = {}
    rows = Endpoint.objects.filter(enabled=True, service__enabled=True).select_related("service").order_by("id")
    for endpoint in rows:
        service: Service = endpoint.service
        entry = added.setdefault(
            service.id, {"id": service.id, "type": service.type, "name": service.name, "endpoints": []}
        )
        entry["endpoints"].append(_entry(endpoint))
    return entries + list(added.values())
