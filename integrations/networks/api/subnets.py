"""``/v2.0/subnets``."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.http import HttpResponse

from computecloud.core.errors import NotFound
from computecloud.http.answers import empty
from integrations.networks import subnets
from integrations.networks.api import schemas, shapes
from integrations.networks.api.bodies import accepts
from integrations.networks.api.lists import OWNED_SORT, Listing, boolean, number, owned, text
from integrations.networks.api.resource import CollectionViewSet, owner
from integrations.networks.errors import (
    HTTPBadRequest,
    NetworkNotFound,
    PolicyNotAuthorized,
    SubnetNotFound,
    SubnetPoolNotFound,
)
from integrations.networks.models import Network, Subnet, SubnetPool
from integrations.networks.models.subnet import SubnetQuerySet


class SubnetsViewSet(CollectionViewSet):
    """Subnets."""

    policy = {
        "list": "get_subnet",
        "retrieve": "get_subnet",
        "create": "create_subnet",
        "update": "update_subnet",
        "destroy": "delete_subnet",
    }
    one, many, views = "subnet", "subnets", staticmethod(shapes.subnets)
    listing = Listing(
        owned("subnets")
        | {
            "network_id": text("network_id"),
            "ip_version": number("ip_version"),
            "cidr": text("cidr"),
            "gateway_ip": text("gateway_ip"),
            "enable_dhcp": boolean("enable_dhcp"),
            "ipv6_ra_mode": text("ipv6_ra_mode"),
            "ipv6_address_mode": text("ipv6_address_mode"),
            "subnetpool_id": text("subnet_pool_id"),
        },
        OWNED_SORT | {name: name for name in ("network_id", "ip_version", "cidr", "gateway_ip", "enable_dhcp")},
    )

    def rows(self) -> SubnetQuerySet:
        return Subnet.objects.for_actor(self.actor).select_related("network")

    def missing(self, pk: str) -> NotFound:
        return SubnetNotFound(subnet_id=pk[:64])

    @accepts(schemas.SUBNET_CREATE)
    @transaction.atomic
    def create(self, request: Any, body: dict[str, Any]) -> HttpResponse:
        return self.answer_made(body, [self._make(wanted) for wanted in self.wanted(body)])

    def _make(self, wanted: dict[str, Any]) -> str:
        project_id = owner(self.actor, wanted)
        network = Network.objects.for_actor(self.actor).filter(id=wanted["network_id"]).first()
        if network is None:
            raise NetworkNotFound(net_id=wanted["network_id"])
        if not self.actor.is_admin and network.project_id != self.actor.project_id:
            raise PolicyNotAuthorized(action="create_subnet")
        if "project_id" not in wanted and "tenant_id" not in wanted:
            project_id = network.project_id
        pool = self._pool(wanted)
        if pool is None and "cidr" not in wanted:
            raise HTTPBadRequest("a subnetpool must be specified in the absence of a cidr")
        if pool is not None and wanted.get("ip_version", pool.ip_version) != pool.ip_version:
            raise HTTPBadRequest("Cannot allocate a subnet of another IP version than its subnet pool's.")
        given = {"ip_version": _version(wanted), **wanted}
        return subnets.create(network, project_id, given, pool).id

    def _pool(self, wanted: dict[str, Any]) -> SubnetPool | None:
        pools = SubnetPool.objects.for_actor(self.actor)
        if wanted.get("subnetpool_id"):
            found = pools.filter(id=wanted["subnetpool_id"]).first()
            if found is None:
                raise SubnetPoolNotFound(subnetpool_id=wanted["subnetpool_id"])
            return found
        if not wanted.get("use_default_subnetpool"):
            return None
        version = wanted.get("ip_version", 4)
        found = pools.filter(is_default=True, ip_version=version).first()
        if found is None:
            raise HTTPBadRequest(f"No default subnetpool found for IPv{version}")
        return found

    @accepts(schemas.SUBNET_UPDATE)
    @transaction.atomic
    def update(self, request: Any, pk: str, body: dict[str, Any]) -> HttpResponse:
        subnet = self.find_own(pk)
        subnets.update(subnet, body["subnet"])
        return self.answer_one(request, subnet.id)

    @transaction.atomic
    def destroy(self, request: Any, pk: str) -> HttpResponse:
        subnets.delete(self.find_own(pk))
        return empty()


def _version(wanted: dict[str, Any]) -> int:
    """``ip_version`` may be left out: the CIDR says it."""
    return 6 if ":" in wanted.get("cidr", "") else 4
