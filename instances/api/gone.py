"""Calls that Nova removed for good: 410 at every version. And calls of services that are not forwarded: 404.

Source: Nova 34's routes; the list with versions is in ``docs/reference/api-history.md``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.http import HttpResponse
from django.urls import URLPattern, path

from computecloud.core.errors import Gone, NotFound
from computecloud.http.views import ServiceViewSet

ROUTES = """
GET POST os-agents
PUT DELETE os-agents/<str:id>
GET POST os-cells
GET os-cells/capacities
GET os-cells/detail
GET os-cells/info
POST os-cells/sync_instances
GET PUT DELETE os-cells/<str:id>
GET os-cells/<str:id>/capacities
POST os-certificates
GET os-certificates/<str:id>
GET POST os-cloudpipe
PUT os-cloudpipe/<str:id>
GET os-fixed-ips/<str:id>
POST os-fixed-ips/<str:id>/action
GET os-floating-ip-dns
PUT DELETE os-floating-ip-dns/<str:id>
GET PUT DELETE os-floating-ip-dns/<str:domain_id>/entries/<str:id>
GET POST os-floating-ips-bulk
GET PUT os-floating-ips-bulk/<str:id>
GET os-fping
GET os-fping/<str:id>
GET POST os-security-group-default-rules
GET DELETE os-security-group-default-rules/<str:id>
POST os-networks/add
POST os-networks/<str:id>/action
GET POST servers/<str:server_id>/consoles
GET DELETE servers/<str:server_id>/consoles/<str:id>
GET servers/<str:server_id>/os-virtual-interfaces
"""
"""Routes of which nothing is left. Single calls of routes that live on are declared where those live."""

UNSERVED = """
GET os-floating-ip-pools
GET POST os-floating-ips
GET DELETE os-floating-ips/<str:id>
GET POST os-baremetal-nodes
GET DELETE os-baremetal-nodes/<str:id>
POST os-baremetal-nodes/<str:id>/action
GET POST os-snapshots
GET os-snapshots/detail
GET DELETE os-snapshots/<str:id>
GET POST os-volumes
GET os-volumes/detail
GET DELETE os-volumes/<str:id>
"""
"""Forwarding calls (2.1 to 2.35) of services that this cloud does not offer through Compute."""


class GoneViewSet(ServiceViewSet):
    """Every removed call answers the same."""

    service = "compute"
    policy = {"tell": "compute:gone"}

    def tell(self, request: Any, **place: str) -> HttpResponse:
        raise Gone


class UnservedViewSet(ServiceViewSet):
    """Says which service to ask instead."""

    service = "compute"
    policy = {"tell": "compute:unserved"}

    def tell(self, request: Any, **place: str) -> HttpResponse:
        raise NotFound("This API is not forwarded by Compute; ask the service itself.")


def _patterns(table: str, view: type[ServiceViewSet]) -> Iterable[URLPattern]:
    for line in table.strip().splitlines():
        *methods, route = line.split()
        yield path(f"v2.1/{route}", view.as_view({method.lower(): "tell" for method in methods}))


urlpatterns = [*_patterns(ROUTES, GoneViewSet), *_patterns(UNSERVED, UnservedViewSet)]
