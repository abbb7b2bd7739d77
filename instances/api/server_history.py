"""``/servers/{id}/os-instance-actions``: what was done to a server, from its operations and their steps."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse

from computecloud.core.clock import iso_naive
from computecloud.core.errors import NotFound
from computecloud.http.answers import answer
from computecloud.http.microversions import Field, VersionedShape
from computecloud.http.pagination import keyset, limit_of
from computecloud.http.policy import allows
from computecloud.http.services import Version
from computecloud.http.views import ServiceViewSet, query
from instances.actions.registry import ACTIONS
from instances.api import server_hosts
from instances.api.links import next_links
from instances.api.queries import Params, changed_between, marked, only_since
from instances.api.schemas.server_parts import HISTORY_QUERY
from instances.errors import InstanceNotFound
from instances.models import Instance
from operations.models import Operation, Step
from operations.models.operation import State

HISTORY = "os_compute_api:os-instance-actions"
COLUMNS = ("id", "verb", "subject_id", "request_id", "user_id", "project_id", "created_at", "updated_at", "state")


class ActionShape(VersionedShape):
    """One action in the list. ``message`` says "Error" when it failed."""

    fields = {
        "action": Field(lambda row, _: ACTIONS[row.verb].shown_as or row.verb if row.verb in ACTIONS else row.verb),
        "instance_uuid": Field("subject_id"),
        "request_id": Field("request_id"),
        "user_id": Field("user_id"),
        "project_id": Field("project_id"),
        "start_time": Field(lambda row, _: iso_naive(row.created_at)),
        "message": Field(lambda row, _: "Error" if row.state == State.FAILED else None),
        "updated_at": Field(lambda row, _: iso_naive(row.updated_at), since="2.58"),
    }


def _server(actor: Any, version: Version, server_id: str) -> Instance:
    """The server, from 2.21 on also a deleted one."""
    rows = Instance.objects.for_actor(actor).filter(id=server_id)
    if version < (2, 21):
        rows = rows.alive()
    row = rows.only("id", "project_id").first()
    if row is None:
        raise InstanceNotFound(instance_id=server_id)
    return row


class HistoryViewSet(ServiceViewSet):
    """Actions of one server, newest first; events of one action, newest first."""

    service = "compute"
    policy = {"list": f"{HISTORY}:list", "retrieve": f"{HISTORY}:show"}

    @query(HISTORY_QUERY, strict_since="2.58")
    def list(self, request: Any, server_id: str, params: Params) -> HttpResponse:
        only_since("2.58", request, params, "limit", "marker", "changes-since")
        only_since("2.66", request, params, "changes-before", strict_since="2.58")
        version: Version = request.api_version
        rows = _actions(_server(self.actor, version, server_id))
        limit = limit_of(params)
        order = [("created_at", "desc"), ("id", "desc")]
        page = keyset(changed_between(rows, params), order, marked(rows, params, "request_id"), limit)
        found = list(page.values_list(*COLUMNS, named=True))
        body: dict[str, Any] = {"instanceActions": [ActionShape.render(row, version) for row in found]}
        links = next_links(request, [row.request_id for row in found], limit, "limit" in params)
        if links and version >= (2, 58):
            body["links"] = links
        return answer(body)

    @query({}, strict_since="2.102")
    def retrieve(self, request: Any, server_id: str, request_id: str, params: Params) -> HttpResponse:
        version: Version = request.api_version
        server = _server(self.actor, version, server_id)
        operation = _actions(server).filter(request_id=request_id).order_by("-created_at").first()
        if operation is None:
            raise NotFound(f"Action {request_id[:80]} not found")
        shown = ActionShape.render(operation, version)
        sees_all = allows(self.actor, f"{HISTORY}:events", server.project_id)
        if sees_all or version >= (2, 51):
            context = EventContext(operation, sees_all, allows(self.actor, f"{HISTORY}:events:details"))
            shown["events"] = events(context, version)
        return answer({"instanceAction": shown})


def _actions(server: Instance) -> QuerySet[Operation]:
    return Operation.objects.on("server", server.id).filter(listed=True)


class EventContext:
    """What an event's fields need beside the event."""

    def __init__(self, operation: Operation, sees_all: bool, sees_details: bool) -> None:
        self.operation = operation
        self.sees_all = sees_all
        self.sees_details = sees_details
        self.host_id = server_hosts.public_id(operation.project_id, operation.host_name)


class EventShape(VersionedShape):
    """One step, or the whole action."""

    fields = {
        "event": Field("name"),
        "start_time": Field(lambda event, _: iso_naive(event.started_at)),
        "finish_time": Field(lambda event, _: iso_naive(event.finished_at)),
        "result": Field("result"),
        "hostId": Field(lambda _, context: context.host_id, since="2.62"),
    }


class Event:
    """A step of an operation, or the operation as one event; ``result`` is Success, Error or None."""

    __slots__ = ("finished_at", "message", "name", "result", "started_at")

    def __init__(self, name: str, started_at: Any, finished_at: Any, result: str | None, message: str) -> None:
        self.name, self.started_at, self.finished_at = name, started_at, finished_at
        self.result, self.message = result, message


RESULTS = {
    State.SUCCEEDED: "Success",
    State.FAILED: "Error",
    State.SUPERSEDED: "Error",
}


def _events(operation: Operation) -> list[Event]:
    whole = Event(
        f"server_{operation.verb}",
        operation.started_at or operation.created_at,
        operation.finished_at,
        RESULTS.get(State(operation.state)),
        operation.fault,
    )
    found = [whole]
    for step in Step.objects.filter(operation_id=operation.id).order_by("attempt", "seq"):
        started = step.finished_at - timedelta(milliseconds=step.took_ms)
        result = "Error" if step.state == "failed" else "Success"
        found.append(Event(step.name, started, step.finished_at, result, step.message))
    return found[::-1]


def events(context: EventContext, version: Version) -> list[dict[str, Any]]:
    """The events of an action as this actor may see them: traces and hosts are for administrators."""
    shown = []
    for event in _events(context.operation):
        fields = EventShape.render(event, version, context)
        failed = event.result == "Error"
        if context.sees_all:
            fields["traceback"] = event.message or None if failed else None
            if version >= (2, 62):
                fields["host"] = context.operation.host_name
        if context.sees_details and version >= (2, 84):
            fields["details"] = event.message or None if failed else None
        shown.append(fields)
    return shown
