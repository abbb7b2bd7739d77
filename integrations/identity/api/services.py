"""Services, endpoints and regions: the built-in ones from settings, and those an administrator added."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from django.http import HttpResponse

from computecloud.conf import conf
from computecloud.http.answers import answer, empty
from computecloud.http.views import ServiceViewSet, accepts, query
from integrations.identity.actions import catalog as actions
from integrations.identity.api import lists, schemas, shapes
from integrations.identity.catalog import built_in
from integrations.identity.errors import EntityNotFound
from integrations.identity.models import Endpoint, Region, Service


def _services() -> Iterator[dict[str, Any]]:
    for fixed in built_in():
        yield shapes.service(fixed)
    for row in Service.objects.order_by("id"):
        yield shapes.service(row)


def _endpoints() -> Iterator[dict[str, Any]]:
    for service in built_in():
        for fixed in service.endpoints:
            yield shapes.endpoint(fixed, service.id)
    for row in Endpoint.objects.order_by("id"):
        yield shapes.endpoint(row, row.service_id)


def _regions() -> Iterator[dict[str, Any]]:
    yield shapes.region(Region(id=conf().region))
    for row in Region.objects.order_by("id"):
        yield shapes.region(row)


def _one(items: Iterator[dict[str, Any]], kind: str, id: str) -> dict[str, Any]:
    for item in items:
        if item["id"] == id:
            return item
    raise EntityNotFound(kind=kind, id=id)


def _matching(items: Iterator[dict[str, Any]], params: lists.Params) -> list[dict[str, Any]]:
    wanted = {name: values[-1] for name, values in params.items() if name not in lists.PAGING}
    return [item for item in items if all(item.get(name) == value for name, value in wanted.items())]


class CatalogViewSet(ServiceViewSet):
    """What the three kinds share."""

    service: ClassVar[str] = "identity"


class ServicesViewSet(CatalogViewSet):
    """``/v3/services``."""

    policy: ClassVar[dict[str, str]] = {
        "list": "identity:list_services",
        "create": "identity:create_service",
        "show": "identity:get_service",
        "update": "identity:update_service",
        "delete": "identity:delete_service",
    }

    @query(lists.allowed("name", "type"))
    def list(self, request: Any, params: lists.Params) -> HttpResponse:
        return lists.whole(request, "services", _matching(_services(), params))

    @accepts(schemas.CREATE_SERVICE)
    def create(self, request: Any, body: dict[str, Any]) -> HttpResponse:
        return answer({"service": shapes.service(actions.save_service(Service(), body["service"]))}, 201)

    def show(self, request: Any, service_id: str) -> HttpResponse:
        return answer({"service": _one(_services(), "service", service_id)})

    @accepts(schemas.UPDATE_SERVICE)
    def update(self, request: Any, service_id: str, body: dict[str, Any]) -> HttpResponse:
        row = actions.save_service(actions.service(service_id), body["service"])
        return answer({"service": shapes.service(row)})

    def delete(self, request: Any, service_id: str) -> HttpResponse:
        actions.service(service_id).delete()
        return empty()


class EndpointsViewSet(CatalogViewSet):
    """``/v3/endpoints``."""

    policy: ClassVar[dict[str, str]] = {
        "list": "identity:list_endpoints",
        "create": "identity:create_endpoint",
        "show": "identity:get_endpoint",
        "update": "identity:update_endpoint",
        "delete": "identity:delete_endpoint",
    }

    @query(lists.allowed("interface", "service_id", "region_id", "region"))
    def list(self, request: Any, params: lists.Params) -> HttpResponse:
        return lists.whole(request, "endpoints", _matching(_endpoints(), params))

    @accepts(schemas.CREATE_ENDPOINT)
    def create(self, request: Any, body: dict[str, Any]) -> HttpResponse:
        row = actions.save_endpoint(Endpoint(), body["endpoint"])
        return answer({"endpoint": shapes.endpoint(row, row.service_id)}, 201)

    def show(self, request: Any, endpoint_id: str) -> HttpResponse:
        return answer({"endpoint": _one(_endpoints(), "endpoint", endpoint_id)})

    @accepts(schemas.UPDATE_ENDPOINT)
    def update(self, request: Any, endpoint_id: str, body: dict[str, Any]) -> HttpResponse:
        row = actions.save_endpoint(actions.endpoint(endpoint_id), body["endpoint"])
        return answer({"endpoint": shapes.endpoint(row, row.service_id)})

    def delete(self, request: Any, endpoint_id: str) -> HttpResponse:
        actions.endpoint(endpoint_id).delete()
        return empty()


class RegionsViewSet(CatalogViewSet):
    """``/v3/regions``."""

    policy: ClassVar[dict[str, str]] = {
        "list": "identity:list_regions",
        "create": "identity:create_region",
        "show": "identity:get_region",
        "update": "identity:update_region",
        "create_named": "identity:create_region",
        "delete": "identity:delete_region",
    }

    @query(lists.allowed("parent_region_id"))
    def list(self, request: Any, params: lists.Params) -> HttpResponse:
        return lists.whole(request, "regions", _matching(_regions(), params))

    @accepts(schemas.CREATE_REGION)
    def create(self, request: Any, body: dict[str, Any]) -> HttpResponse:
        return answer({"region": shapes.region(actions.create_region(body["region"]))}, 201)

    @accepts(schemas.CREATE_REGION)
    def create_named(self, request: Any, region_id: str, body: dict[str, Any]) -> HttpResponse:
        row = actions.create_region(body["region"] | {"id": region_id})
        return answer({"region": shapes.region(row)}, 201)

    def show(self, request: Any, region_id: str) -> HttpResponse:
        return answer({"region": _one(_regions(), "region", region_id)})

    @accepts(schemas.UPDATE_REGION)
    def update(self, request: Any, region_id: str, body: dict[str, Any]) -> HttpResponse:
        row = actions.update_region(actions.region(region_id), body["region"])
        return answer({"region": shapes.region(row)})

    def delete(self, request: Any, region_id: str) -> HttpResponse:
        actions.delete_region(actions.region(region_id))
        return empty()
