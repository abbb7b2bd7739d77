"""``/os-availability-zone``."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from computecloud.conf import conf
from computecloud.core.clock import iso_naive
from computecloud.http.answers import answer
from computecloud.http.views import ServiceViewSet, query
from instances import fleet
from instances.api.queries import Params


def zone(name: str, available: bool, hosts: dict[str, Any] | None) -> dict[str, Any]:
    return {"zoneName": name, "zoneState": {"available": available}, "hosts": hosts}


def hosts_of(services: list[fleet.Service], name: str) -> dict[str, Any]:
    """Host → binary → state, of the enabled services in a zone."""
    found: dict[str, Any] = {}
    for service in services:
        if service.zone == name and not service.is_disabled:
            found.setdefault(service.host, {})[service.binary] = {
                "available": service.is_up,
                "active": True,
                "updated_at": iso_naive(service.updated_at),
            }
    return found


class ZoneViewSet(ServiceViewSet):
    """Zones: names for everybody, hosts and services for administrators. A cloud without hosts has its default zone."""

    service = "compute"
    policy = {
        "list": "os_compute_api:os-availability-zone:list",
        "list_detail": "os_compute_api:os-availability-zone:detail",
    }

    @query({}, strict_since="2.102")
    def list(self, request: Any, params: Params) -> HttpResponse:
        up, down = fleet.zone_names(fleet.services())
        names = [(name, True) for name in up] + [(name, False) for name in down]
        shown = [zone(name, available, None) for name, available in names if name != fleet.INTERNAL_ZONE]
        return answer({"availabilityZoneInfo": shown or [zone(conf().default_availability_zone, True, None)]})

    @query({}, strict_since="2.102")
    def list_detail(self, request: Any, params: Params) -> HttpResponse:
        services = fleet.services()
        up, down = fleet.zone_names(services)
        shown = [zone(name, True, hosts_of(services, name)) for name in up]
        return answer({"availabilityZoneInfo": shown + [zone(name, False, None) for name in down]})
