"""``/os-server-external-events``: what other services tell compute about servers.

``network-changed`` makes a server's cached addresses be read anew. Nothing here waits for the other events: networks
are embedded, and hosts see power changes themselves within seconds; they are accepted as Nova accepts them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse

from computecloud.http.answers import answer
from computecloud.http.microversions import VersionedSchema
from computecloud.http.views import ServiceViewSet, accepts
from instances import servers
from instances.api.schemas.types import UUID, Schema
from instances.models import Instance

EVENTS = ("network-changed", "network-vif-plugged", "network-vif-unplugged", "network-vif-deleted")
NEED_TAG = frozenset({"accelerator-request-bound"})

_EVENT: Schema = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "enum": list(EVENTS)},
        "server_uuid": UUID,
        "status": {"type": "string", "enum": ["failed", "completed", "in-progress"]},
        "tag": {"type": "string", "maxLength": 255},
    },
    "required": ["name", "server_uuid"],
    "additionalProperties": False,
}


def _more(name: str) -> Callable[[Schema], None]:
    def amend(schema: Schema) -> None:
        schema["properties"]["events"]["items"]["properties"]["name"]["enum"].append(name)

    return amend


CREATE = (
    VersionedSchema({
        "type": "object",
        "properties": {"events": {"type": "array", "minItems": 1, "maxItems": 1000, "items": _EVENT}},
        "required": ["events"],
        "additionalProperties": False,
    })
    .amend("2.51", _more("volume-extended"))
    .amend("2.76", _more("power-update"))
    .amend("2.82", _more("accelerator-request-bound"))
    .amend("2.93", _more("volume-reimaged"))
)


def _judge(event: dict[str, Any], known: dict[str, Instance]) -> dict[str, Any]:
    """The event with its fate: 200, 400 (no tag), 404 (no such server) or 422 (it has no host)."""
    server = known.get(event["server_uuid"])
    if server is None:
        code = 404
    elif event["name"] in NEED_TAG and not event.get("tag"):
        code = 400
    else:
        code = 200 if server.host_id else 422
    return {**event, "status": "completed" if code == 200 else "failed", "code": code}


class ExternalEventViewSet(ServiceViewSet):
    """Events of administrators and other services."""

    service = "compute"
    policy = {"create": "os_compute_api:os-server-external-events:create"}

    @accepts(CREATE)
    def create(self, request: Any, body: dict[str, Any]) -> HttpResponse:
        ids = {event["server_uuid"] for event in body["events"]}
        known = Instance.objects.for_actor(self.actor).alive().in_bulk(list(ids))
        judged = [_judge(event, known) for event in body["events"]]
        accepted = [event for event in judged if event["code"] == 200]
        for server_id in {event["server_uuid"] for event in accepted if event["name"] == "network-changed"}:
            servers.refresh_nics(known[server_id])
        return answer({"events": judged}, 200 if len(accepted) == len(judged) else 207)
