"""The body of ``unshelve``: nothing, a zone (2.77), or a zone to be pinned to and a host (2.91)."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from computecloud.conf import conf
from computecloud.core.errors import Invalid
from computecloud.http.answers import empty
from computecloud.http.policy import authorize
from hosts.models import Host
from instances.actions.shelve import Unshelve
from instances.api.asked import Asked
from instances.errors import UnshelveHostNotInZone, UnshelveNeedsOffloaded
from instances.fleet import require_host, zone_of
from instances.states import VmState

TO_HOST = "os_compute_api:os-shelve:unshelve_to_host"


def unshelve(asked: Asked) -> HttpResponse:
    """Null as a zone takes the server's pin away; a zone pins it there."""
    server = asked.server
    wish: dict[str, Any] = asked.args if asked.version >= (2, 77) and asked.args else {}
    if wish and server.vm_state == VmState.SHELVED:
        raise UnshelveNeedsOffloaded(instance_id=server.id, state=server.vm_state)
    words: dict[str, Any] = {}
    zone = server.pinned_zone
    if "availability_zone" in wish:
        zone = wish["availability_zone"]
        _check_zone(zone)
        words["columns"] = {"pinned_zone": zone}
    if "host" in wish:
        authorize(asked.actor, TO_HOST, server.project_id)
        _check_host(wish["host"], zone)
        words["forced_host"] = wish["host"]
    Unshelve.request(asked.actor, server, asked.request_id, **words)
    return empty(202)


def _check_zone(zone: str | None) -> None:
    default = conf().default_availability_zone
    if zone in (None, default) or Host.objects.alive().filter(aggregates__availability_zone=zone).exists():
        return
    raise Invalid("The requested availability zone is not available")


def _check_host(name: str, zone: str | None) -> None:
    """The host is there, and in the zone that the server is pinned to, if it is."""
    require_host(name)
    if zone is not None and zone != zone_of(name=name):
        raise UnshelveHostNotInZone(host=name, zone=zone)
