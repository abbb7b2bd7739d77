"""``/v2.0/subnetpools``."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.http import HttpResponse

from computecloud.core.errors import NotFound
from computecloud.http.answers import empty
from integrations.networks import subnet_pools
from integrations.networks.api import schemas, shapes
from integrations.networks.api.bodies import accepts
from integrations.networks.api.lists import Listing, boolean, number, owned
from integrations.networks.api.resource import CollectionViewSet, owner, require
from integrations.networks.errors import SubnetPoolNotFound
from integrations.networks.models import SubnetPool
from integrations.networks.models.subnet_pool import SubnetPoolQuerySet


class SubnetPoolsViewSet(CollectionViewSet):
    """Subnet pools."""

    policy = {
        "list": "get_subnetpool",
        "retrieve": "get_subnetpool",
        "create": "create_subnetpool",
        "update": "update_subnetpool",
        "destroy": "delete_subnetpool",
    }
    one, many, views = "subnetpool", "subnetpools", staticmethod(shapes.subnet_pools)
    listing = Listing(
        owned("subnetpools")
        | {name: number(name) for name in ("ip_version", *subnet_pools.LENGTHS)}
        | {"shared": boolean("shared"), "is_default": boolean("is_default")}
    )

    def rows(self) -> SubnetPoolQuerySet:
        return SubnetPool.objects.for_actor(self.actor)

    def missing(self, pk: str) -> NotFound:
        return SubnetPoolNotFound(subnetpool_id=pk[:64])

    @accepts(schemas.SUBNET_POOL_CREATE)
    @transaction.atomic
    def create(self, request: Any, body: dict[str, Any]) -> HttpResponse:
        return self.answer_made(body, [self._make(wanted) for wanted in self.wanted(body)])

    def _make(self, wanted: dict[str, Any]) -> str:
        for name in ("shared", "is_default"):
            if wanted.get(name):
                require(self.actor, f"create_subnetpool:{name}")
        return subnet_pools.create(owner(self.actor, wanted), _numbers(wanted)).id

    @accepts(schemas.SUBNET_POOL_UPDATE)
    @transaction.atomic
    def update(self, request: Any, pk: str, body: dict[str, Any]) -> HttpResponse:
        pool = self.find_own(pk)
        if "is_default" in body["subnetpool"]:
            require(self.actor, "update_subnetpool:is_default")
        subnet_pools.update(pool, _numbers(body["subnetpool"]))
        return self.answer_one(request, pool.id)

    @transaction.atomic
    def destroy(self, request: Any, pk: str) -> HttpResponse:
        subnet_pools.delete(self.find_own(pk))
        return empty()


def _numbers(wanted: dict[str, Any]) -> dict[str, Any]:
    """Prefix lengths as numbers: clients send text too."""
    return wanted | {name: int(wanted[name]) for name in subnet_pools.LENGTHS if name in wanted}
