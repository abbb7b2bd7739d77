"""/api/v1/placements and /api/v1/capacity: what the scheduler would do, without doing it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema

from computecloud.core.errors import Invalid
from computecloud.http import microversions
from computecloud.http.answers import answer
from computecloud.http.bodies import check, read_json
from computecloud.http.native import DEFAULT_LIMIT
from computecloud.http.pagination import limit_of, next_link
from computecloud.http.policy import allows, authorize
from computecloud.http.services import BY_NAME
from computecloud.http.views import ServiceViewSet
from instances import capacity, servers, what_if
from instances.actions.create import Create, CreateRequest, FlavorSnapshot
from instances.api.placement_shapes import (
    QUESTION,
    SUPPOSE,
    Capacity,
    CapacitySerializer,
    WhatIf,
    WhatIfBodySerializer,
    WhatIfSerializer,
    WhyNotBodySerializer,
)
from instances.api.schemas.servers import CREATE
from instances.api.server_create import to_request
from instances.flavor_snapshots import COLUMNS
from instances.models import Flavor
from scheduling import configuration, suppositions
from scheduling.api.decisions import refuse_unknown
from scheduling.api.shapes import WhyNotSerializer
from scheduling.explanation import why_not
from scheduling.host_names import HostNames
from scheduling.suppositions import Fleet, Ratio

CAPACITY = [
    OpenApiParameter("flavor", str, description="Only the flavor with this id."),
    OpenApiParameter("zone", str, description="Only hosts of this availability zone."),
    OpenApiParameter("limit", int, description="How many flavors at most."),
    OpenApiParameter("marker", str, description="The last flavor's id of the page before."),
]
FLEET_RULE = "computecloud:placements:suppose-hosts"
FLEET = ("hosts_down", "hosts_up", "ratios")


class PlacementViewSet(ServiceViewSet):
    """Questions to the scheduler. Nothing is written, whatever the answer."""

    service = "native"
    policy = {"what_if": "computecloud:placements:what-if", "why_not": "computecloud:placements:why-not"}

    @extend_schema(request=WhatIfBodySerializer, responses=WhatIfSerializer)
    def what_if(self, request: Any) -> HttpResponse:
        """Would these servers be accepted and find hosts, where, how many, and what would have to change if not.

        Refusals that are no matter of room (an unknown image, a zone that is none) are answered as the create would be.
        """
        body = _object(read_json(request))
        suppose = body.pop("suppose", {})
        check(SUPPOSE, suppose)
        if any(name in suppose for name in FLEET):
            authorize(self.actor, FLEET_RULE)
        fleet = Fleet(
            suppose.get("hosts_down", ()),
            suppose.get("hosts_up", ()),
            [Ratio(**one) for one in suppose.get("ratios", ())],
        )
        read = self._reader(request, body, suppose.get("flavor", {}))
        told = what_if.ask(self.actor, read, what_if.Suppositions(suppose.get("quota", {}), fleet))
        return answer(WhatIf.of(told, in_full=allows(self.actor, FLEET_RULE)))

    @extend_schema(request=WhyNotBodySerializer, responses=WhyNotSerializer)
    def why_not(self, request: Any) -> HttpResponse:
        """Every filter's verdict on one host for a server, or for one that is to be."""
        body = _object(read_json(request))
        check(QUESTION, body)
        if ("server_id" in body) == ("server" in body):
            raise Invalid("Name one of server_id and server.")
        table = suppositions.table(Fleet())
        row = suppositions.row_of(table, body.pop("host"))
        if "server_id" in body:
            wish = what_if.of_server(servers.get(self.actor, body["server_id"]))
        else:
            wish = what_if.wish_of(self.actor, self._reader(request, body, {}))
        names = HostNames("", table.ids, table.names, in_full=True)
        return answer(why_not(table, wish, configuration.in_force(), row, names))

    def _reader(self, request: Any, body: dict[str, Any], flavor: Mapping[str, Any]) -> Callable[[], CreateRequest]:
        """Reads the body as ``POST /servers`` does, at the microversion of the request's headers."""
        version = microversions.negotiate(BY_NAME["compute"], request._request.headers)
        check(CREATE.at(version), body)

        def flavor_as(known: FlavorSnapshot) -> FlavorSnapshot:
            return replace(known, **flavor)

        def read() -> CreateRequest:
            authorize(self.actor, Create.rule)
            return to_request(body, version, self.actor, flavor_as)

        return read


def _object(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise Invalid("The request body is no JSON object.")
    return body


class CapacityViewSet(ServiceViewSet):
    """How many more servers of each flavor fit."""

    service = "native"
    policy = {"show": "computecloud:capacity"}

    @extend_schema(parameters=CAPACITY, responses=CapacitySerializer)
    def show(self, request: Any) -> HttpResponse:
        """On the hosts in all and per zone; for members no more than their quota leaves. Each flavor by itself."""
        params = request._request.GET
        refuse_unknown(params, {one.name for one in CAPACITY})
        limit = limit_of(dict(params.lists())) if "limit" in params else DEFAULT_LIMIT
        rows = Flavor.objects.for_actor(self.actor).filter(disabled=False, id__gt=params.get("marker", ""))
        if "flavor" in params:
            rows = rows.filter(id=params["flavor"])
        page = [FlavorSnapshot(*row) for row in rows.order_by("id").values_list(*COLUMNS)[: limit + 1]]
        items = capacity.of(self.actor, page[:limit], params.get("zone"))
        more = next_link(request, page[limit - 1].id, limit) if len(page) > limit else None
        return answer(Capacity(items, more))
