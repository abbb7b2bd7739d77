"""``/v2.0/routers``: rows and interfaces; gateways are refused."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import F
from django.http import HttpResponse

from computecloud.core.clock import utcnow
from computecloud.core.errors import NotFound
from computecloud.http.answers import answer, empty
from integrations.networks import routers
from integrations.networks.api import schemas, shapes
from integrations.networks.api.bodies import accepts
from integrations.networks.api.lists import OWNED_SORT, Listing, boolean, constant, owned
from integrations.networks.api.resource import CollectionViewSet, owner
from integrations.networks.errors import ExternalGatewayNotOffered, HTTPBadRequest, NetworkNotFound, RouterNotFound
from integrations.networks.models import Network, Router, RouterInterface
from integrations.networks.models.router import RouterQuerySet


class RoutersViewSet(CollectionViewSet):
    """Routers."""

    policy = {
        "list": "get_router",
        "retrieve": "get_router",
        "create": "create_router",
        "update": "update_router",
        "destroy": "delete_router",
        "add_interface": "add_router_interface",
        "remove_interface": "remove_router_interface",
    }
    one, many, views = "router", "routers", staticmethod(shapes.routers)
    listing = Listing(
        owned("routers") | {"admin_state_up": boolean("admin_state_up"), "status": constant("ACTIVE")},
        OWNED_SORT | {"admin_state_up": "admin_state_up"},
    )

    def rows(self) -> RouterQuerySet:
        return Router.objects.for_actor(self.actor)

    def missing(self, pk: str) -> NotFound:
        return RouterNotFound(router_id=pk[:64])

    def _refuse_gateway(self, wanted: dict[str, Any]) -> None:
        """An empty gateway is what every router has; any other is refused, a hidden network as not found."""
        network_id = (wanted.get("external_gateway_info") or {}).get("network_id")
        if not network_id:
            return
        network = Network.objects.for_actor(self.actor).filter(id=network_id).first()
        if network is None:
            raise NetworkNotFound(net_id=network_id)
        if not network.is_external:
            raise HTTPBadRequest(f"Bad router request: Network {network_id} is not an external network.")
        raise ExternalGatewayNotOffered(net_id=network_id)

    @accepts(schemas.ROUTER_CREATE)
    @transaction.atomic
    def create(self, request: Any, body: dict[str, Any]) -> HttpResponse:
        return self.answer_made(body, [self._make(wanted) for wanted in self.wanted(body)])

    def _make(self, wanted: dict[str, Any]) -> str:
        self._refuse_gateway(wanted)
        project_id = owner(self.actor, wanted)
        name, description = wanted.get("name", ""), wanted.get("description", "")
        return routers.create(project_id, name, description, wanted.get("admin_state_up", True)).id

    @accepts(schemas.ROUTER_UPDATE)
    @transaction.atomic
    def update(self, request: Any, pk: str, body: dict[str, Any]) -> HttpResponse:
        router = self.find_own(pk)
        self._refuse_gateway(body["router"])
        changes = {name: value for name, value in body["router"].items() if name != "external_gateway_info"}
        Router.objects.filter(id=router.id).update(**changes, updated_at=utcnow(), revision=F("revision") + 1)
        return self.answer_one(request, router.id)

    @transaction.atomic
    def destroy(self, request: Any, pk: str) -> HttpResponse:
        routers.delete(self.find_own(pk))
        return empty()

    @accepts(schemas.ROUTER_INTERFACE)
    @transaction.atomic
    def add_interface(self, request: Any, pk: str, body: dict[str, Any]) -> HttpResponse:
        router = self.find_own(pk)
        if "subnet_id" in body and "port_id" in body:
            raise HTTPBadRequest("Bad router request: Cannot specify both subnet-id and port-id.")
        if "port_id" in body:
            return answer(_interface(router, routers.add_port(self.actor, router, body["port_id"])))
        return answer(_interface(router, routers.add_subnet(self.actor, router, body["subnet_id"])))

    @accepts(schemas.ROUTER_INTERFACE)
    @transaction.atomic
    def remove_interface(self, request: Any, pk: str, body: dict[str, Any]) -> HttpResponse:
        router = self.find_own(pk)
        found = routers.remove(router, subnet_id=body.get("subnet_id"), port_id=body.get("port_id"))
        return answer(_interface(router, found))


def _interface(router: Router, found: RouterInterface) -> dict[str, Any]:
    return {
        "id": router.id,
        "tenant_id": router.project_id,
        "project_id": router.project_id,
        "port_id": found.port_id,
        "network_id": found.port.network_id,
        "subnet_id": found.subnet_id,
        "subnet_ids": [found.subnet_id],
    }
