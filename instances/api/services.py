"""``/os-services``: told by host and binary until 2.52, by UUID from 2.53."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from computecloud.core.clock import iso_naive
from computecloud.core.errors import Invalid, NotFound
from computecloud.core.ids import is_uuid
from computecloud.http.answers import answer, empty
from computecloud.http.microversions import Field, VersionedShape
from computecloud.http.views import ServiceViewSet, accepts, query
from instances import fleet
from instances.api.queries import Params, last
from instances.api.schemas.machines import SERVICE_QUERY, UPDATE_SERVICE
from instances.api.schemas.types import truth


class ServiceShape(VersionedShape):
    """A service."""

    fields = {
        "id": (Field("number", until="2.52"), Field("uuid", since="2.53")),
        "binary": Field("binary"),
        "host": Field("host"),
        "zone": Field("zone"),
        "status": Field(lambda row, _: "disabled" if row.is_disabled else "enabled"),
        "state": Field(lambda row, _: "up" if row.is_up else "down"),
        "updated_at": Field(lambda row, _: iso_naive(row.updated_at)),
        "disabled_reason": Field("disabled_reason"),
        "forced_down": Field("is_forced_down", since="2.11"),
    }


def checked_id(request: Any, service_id: str) -> bool:
    """Whether ids are UUIDs at the request's version. Raises Invalid for one of the wrong kind."""
    by_uuid: bool = request.api_version >= (2, 53)
    if by_uuid and not is_uuid(service_id):
        raise Invalid(f"Invalid uuid {service_id[:100]}")
    if not by_uuid and not service_id.removeprefix("-").isdecimal():
        raise Invalid(f"id must be an integer, not {service_id[:100]}")
    return by_uuid


def enable(place: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
    fleet.change_compute(**place, is_disabled=False, disabled_reason="")
    return {"status": "enabled"}


def disable(place: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
    fleet.change_compute(**place, is_disabled=True, disabled_reason="")
    return {"status": "disabled"}


def disable_with_reason(place: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
    if "disabled_reason" not in body:
        raise Invalid("Missing disabled reason field")
    fleet.change_compute(**place, is_disabled=True, disabled_reason=body["disabled_reason"])
    return {"status": "disabled", "disabled_reason": body["disabled_reason"]}


def force_down(place: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
    if "forced_down" not in body:
        raise Invalid("Missing forced_down field")
    forced = truth(body["forced_down"])
    fleet.change_compute(**place, is_forced_down=forced)
    return {"forced_down": forced}


VERBS = {
    "enable": (enable, (2, 1)),
    "disable": (disable, (2, 1)),
    "disable-log-reason": (disable_with_reason, (2, 1)),
    "force-down": (force_down, (2, 11)),
}
"""The verbs that stood in the path until 2.52, and since when; each changes the host and says what it did."""


def to_changes(body: dict[str, Any]) -> dict[str, Any]:
    """The columns that a 2.53 body changes. Raises Invalid when it asks for nothing or contradicts itself."""
    changes: dict[str, Any] = {}
    if "status" in body:
        if body["status"] == "enabled" and "disabled_reason" in body:
            raise Invalid("Specifying 'disabled_reason' with status 'enabled' is invalid.")
        changes |= {"is_disabled": body["status"] == "disabled", "disabled_reason": body.get("disabled_reason", "")}
    if "forced_down" in body:
        changes["is_forced_down"] = truth(body["forced_down"])
    if not changes:
        raise Invalid("No updates were requested. Fields 'status' or 'forced_down' should be specified.")
    return changes


class ServicesViewSet(ServiceViewSet):
    """Services of the cloud; only compute services can be changed or removed."""

    service = "compute"
    policy = {
        "list": "os_compute_api:os-services:list",
        "update": "os_compute_api:os-services:update",
        "destroy": "os_compute_api:os-services:delete",
    }

    @query(SERVICE_QUERY, strict_since="2.75")
    def list(self, request: Any, params: Params) -> HttpResponse:
        host, binary = last(params, "host"), last(params, "binary")
        rows = [
            row for row in fleet.services() if (not host or row.host == host) and (not binary or row.binary == binary)
        ]
        return answer({"services": [ServiceShape.render(row, request.api_version) for row in rows]})

    @accepts(UPDATE_SERVICE)
    def update(self, request: Any, service_id: str, body: dict[str, Any]) -> HttpResponse:
        if request.api_version < (2, 53):
            verb, since = VERBS.get(service_id, (None, (2, 1)))
            if verb is None or request.api_version < since:
                raise NotFound("Unknown action")
            done = verb({"host_name": body["host"], "binary": body["binary"]}, body)
            return answer({"service": {"host": body["host"], "binary": body["binary"]} | done})
        checked_id(request, service_id)
        found = fleet.service(service_id, by_uuid=True)
        if found.binary != fleet.COMPUTE:
            raise fleet.NotACompute(binary=found.binary)
        fleet.change_compute(found.host, found.binary, **to_changes(body))
        changed = fleet.service(service_id, by_uuid=True)
        return answer({"service": ServiceShape.render(changed, request.api_version)})

    def destroy(self, request: Any, service_id: str) -> HttpResponse:
        fleet.remove_compute(fleet.service(service_id, by_uuid=checked_id(request, service_id)))
        return empty(204)
