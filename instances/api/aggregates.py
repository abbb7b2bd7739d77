"""``/os-aggregates``."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from computecloud.core.clock import iso_naive
from computecloud.core.errors import Invalid, Unsupported
from computecloud.http.answers import answer, empty
from computecloud.http.microversions import Field, VersionedShape, available
from computecloud.http.policy import authorize
from computecloud.http.views import ServiceViewSet, accepts, query
from hosts.models import Aggregate
from instances import aggregates
from instances.api.queries import Params
from instances.api.schemas.machines import ACT_ON_AGGREGATE, CACHE_IMAGES, CREATE_AGGREGATE, UPDATE_AGGREGATE

RULES = {
    "add_host": "os_compute_api:os-aggregates:add_host",
    "remove_host": "os_compute_api:os-aggregates:remove_host",
    "set_metadata": "os_compute_api:os-aggregates:set_metadata",
}


def metadata_of(aggregate: Any) -> dict[str, str]:
    """With the zone as a key, as Nova keeps it."""
    zone = {aggregates.ZONE: aggregate.availability_zone} if aggregate.availability_zone else {}
    return {**aggregate.metadata, **zone}


class NewShape(VersionedShape):
    """An aggregate just made: without hosts and metadata."""

    fields = {
        "id": Field("id"),
        "uuid": Field("uuid", since="2.41"),
        "name": Field("name"),
        "availability_zone": Field("availability_zone"),
        "created_at": Field(lambda row, _: iso_naive(row.created_at)),
        "updated_at": Field(lambda row, _: iso_naive(row.updated_at)),
        "deleted": Field(lambda row, _: False),
        "deleted_at": Field(lambda row, _: None),
    }


class AggregateShape(VersionedShape):
    """An aggregate; the context is {id: [host names]}."""

    fields = {
        **NewShape.fields,
        "hosts": Field(lambda row, hosts: hosts.get(row.id, [])),
        "metadata": Field(lambda row, _: metadata_of(row)),
    }


def to_id(text: str) -> int:
    """Raises Invalid for what is no number."""
    if not text.removeprefix("-").isdecimal() or len(text) > 18:
        raise Invalid(f"id must be an integer, not {text[:100]}")
    return int(text)


def shown(aggregate: Aggregate, request: Any) -> HttpResponse:
    hosts = aggregates.hosts_of([aggregate.pk])
    return answer({"aggregate": AggregateShape.render(aggregate, request.api_version, hosts)})


class AggregateViewSet(ServiceViewSet):
    """Host aggregates, for administrators."""

    service = "compute"
    policy = {
        "list": "os_compute_api:os-aggregates:index",
        "retrieve": "os_compute_api:os-aggregates:show",
        "create": "os_compute_api:os-aggregates:create",
        "update": "os_compute_api:os-aggregates:update",
        "destroy": "os_compute_api:os-aggregates:delete",
        "act": "os_compute_api:os-aggregates:add_host",
        "cache_images": "compute:aggregates:images",
    }

    @query({}, strict_since="2.102")
    def list(self, request: Any, params: Params) -> HttpResponse:
        rows = [*Aggregate.objects.order_by("id")]
        hosts = aggregates.hosts_of(row.pk for row in rows)
        return answer({"aggregates": [AggregateShape.render(row, request.api_version, hosts) for row in rows]})

    @query({}, strict_since="2.102")
    def retrieve(self, request: Any, aggregate_id: str, params: Params) -> HttpResponse:
        return shown(aggregates.get(to_id(aggregate_id)), request)

    @accepts(CREATE_AGGREGATE)
    def create(self, request: Any, body: dict[str, Any]) -> HttpResponse:
        wanted = body["aggregate"]
        made = aggregates.create(wanted["name"], wanted.get("availability_zone"))
        return answer({"aggregate": NewShape.render(made, request.api_version)})

    @accepts(UPDATE_AGGREGATE)
    def update(self, request: Any, aggregate_id: str, body: dict[str, Any]) -> HttpResponse:
        changes = dict(body["aggregate"])
        if "name" in changes:
            changes["name"] = changes["name"].strip()
        return shown(aggregates.update(to_id(aggregate_id), changes), request)

    def destroy(self, request: Any, aggregate_id: str) -> HttpResponse:
        aggregates.delete(to_id(aggregate_id))
        return empty(200)

    @accepts(ACT_ON_AGGREGATE)
    def act(self, request: Any, aggregate_id: str, body: dict[str, Any]) -> HttpResponse:
        """add_host, remove_host, set_metadata."""
        [(verb, detail)] = body.items()
        authorize(self.actor, RULES[verb])
        number = to_id(aggregate_id)
        if verb == "set_metadata":
            return shown(aggregates.set_metadata(number, detail["metadata"]), request)
        change = aggregates.add_host if verb == "add_host" else aggregates.remove_host
        return shown(change(number, detail["host"]), request)

    @available("2.81")
    @accepts(CACHE_IMAGES)
    def cache_images(self, request: Any, aggregate_id: str, body: dict[str, Any]) -> HttpResponse:
        """Hosts fetch an image when a server first needs it; fetching ahead is refused, not pretended."""
        wanted = [image["id"] for image in body["cache"]]
        if len(wanted) != len(set(wanted)):
            raise Invalid("Duplicate images in request")
        aggregates.get(to_id(aggregate_id))
        raise Unsupported("Fetching images ahead of time is not supported.")
