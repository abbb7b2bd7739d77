"""``/v2.0/networks``."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.http import HttpResponse

from computecloud.core.errors import NotFound
from computecloud.http.answers import empty
from integrations.networks import networks
from integrations.networks.api import schemas, shapes
from integrations.networks.api.bodies import accepts
from integrations.networks.api.lists import OWNED_SORT, Listing, boolean, constant, never, nothing, number, owned, text
from integrations.networks.api.resource import CollectionViewSet, owner, require
from integrations.networks.errors import HTTPBadRequest, NetworkNotFound
from integrations.networks.models import Network
from integrations.networks.models.network import LAST_SEGMENT, NetworkQuerySet

COLUMNS = {"router:external": "is_external"}


class NetworksViewSet(CollectionViewSet):
    """Networks."""

    policy = {
        "list": "get_network",
        "retrieve": "get_network",
        "create": "create_network",
        "update": "update_network",
        "destroy": "delete_network",
    }
    one, many, views = "network", "networks", staticmethod(shapes.networks)
    listing = Listing(
        owned("networks")
        | {
            "admin_state_up": boolean("admin_state_up"),
            "shared": boolean("shared"),
            "router:external": boolean("is_external"),
            "port_security_enabled": boolean("port_security_enabled"),
            "mtu": number("mtu"),
            "is_default": never,
            "status": constant("ACTIVE"),
            "subnets": text("subnets__id"),
        },
        OWNED_SORT | {"admin_state_up": "admin_state_up", "mtu": "mtu", "shared": "shared"},
        {
            "provider:segmentation_id": number("segment"),
            "provider:network_type": constant("vxlan"),
            "provider:physical_network": nothing,
        },
    )

    def rows(self) -> NetworkQuerySet:
        return Network.objects.for_actor(self.actor)

    def missing(self, pk: str) -> NotFound:
        return NetworkNotFound(net_id=pk[:64])

    @accepts(schemas.NETWORK_CREATE)
    @transaction.atomic
    def create(self, request: Any, body: dict[str, Any]) -> HttpResponse:
        return self.answer_made(body, [self._make(wanted) for wanted in self.wanted(body)])

    def _make(self, wanted: dict[str, Any]) -> str:
        project_id = owner(self.actor, wanted)
        for name in ("shared", "router:external"):
            if wanted.get(name):
                require(self.actor, f"create_network:{name}")
        if any(value is not None for name, value in wanted.items() if name.startswith("provider:")):
            require(self.actor, "create_network:provider")
        columns = {COLUMNS.get(name, name): value for name, value in wanted.items()}
        return networks.create(project_id, columns, _segment(wanted.get("provider:segmentation_id"))).id

    @accepts(schemas.NETWORK_UPDATE)
    @transaction.atomic
    def update(self, request: Any, pk: str, body: dict[str, Any]) -> HttpResponse:
        network = self.find_own(pk)
        changes = body["network"]
        for name in ("shared", "router:external"):
            if name in changes:
                require(self.actor, f"update_network:{name}")
        networks.update(network, {COLUMNS.get(name, name): value for name, value in changes.items()})
        return self.answer_one(request, network.id)

    @transaction.atomic
    def destroy(self, request: Any, pk: str) -> HttpResponse:
        networks.delete(self.find_own(pk))
        return empty()


def _segment(wanted: int | str | None) -> int | None:
    if wanted is None:
        return None
    if int(wanted) > LAST_SEGMENT:
        raise HTTPBadRequest(f"Invalid input for provider:segmentation_id. Reason: it is above {LAST_SEGMENT}.")
    return int(wanted)
