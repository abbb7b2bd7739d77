"""The services on the one origin: where each lives and which microversions it speaks."""

from __future__ import annotations

from dataclasses import dataclass

Version = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Service:
    """``minimum`` and ``maximum`` are None for services without microversions."""

    name: str
    prefix: str
    minimum: Version | None = None
    maximum: Version | None = None
    legacy_header: str | None = None


SERVICES = (
    Service("compute", "/compute", (2, 1), (2, 104), "X-OpenStack-Nova-API-Version"),
    Service("identity", "/identity"),
    Service("image", "/image"),
    Service("network", "/network"),
    Service("volume", "/volume", (3, 0), (3, 71)),
    Service("placement", "/placement", (1, 0), (1, 39)),
    Service("native", "/api"),
    Service("conductor", "/conductor"),
)
BY_NAME = {service.name: service for service in SERVICES}
_BY_SEGMENT = {service.prefix[1:]: service for service in SERVICES}


def service_of(path: str) -> Service | None:
    """The service that a request path belongs to."""
    return _BY_SEGMENT.get(path[1:].partition("/")[0])
