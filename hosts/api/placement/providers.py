"""Resource providers: every host is one, with neither parent nor children. Loaded whole, in three queries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import os_resource_classes
import os_traits

from computecloud.core.errors import NotFound
from hosts.models import AggregateHost, Host, Inventory

STANDARD_CLASSES: tuple[str, ...] = tuple(os_resource_classes.STANDARDS)
STANDARD_TRAITS: frozenset[str] = frozenset(os_traits.get_traits())


class ProviderNotFound(NotFound):
    message = "No resource provider with uuid {uuid} found : No resource provider with uuid {uuid} found"


@dataclass(frozen=True, slots=True)
class Stock:
    """One inventory: what there is of a resource class, and what is used of it."""

    total: int
    reserved: int
    ratio: float
    capacity: int
    used: int
    generation: int

    def fits(self, amount: int) -> bool:
        return 0 < amount <= self.total and self.used + amount <= self.capacity


@dataclass(slots=True)
class Provider:
    """A host as Placement sees it."""

    uuid: str
    name: str
    traits: frozenset[str]
    stock: dict[str, Stock] = field(default_factory=dict)
    aggregates: set[str] = field(default_factory=set)

    @property
    def generation(self) -> int:
        """Rises with every change of any inventory."""
        return sum(stock.generation for stock in self.stock.values())


def load(uuids: Iterable[str] | None = None) -> list[Provider]:
    """The hosts (all, or those named), by name."""
    rows = Host.objects.alive()
    if uuids is not None:
        rows = rows.filter(pk__in=list(uuids))
    found = {
        uuid: Provider(uuid, name, frozenset(traits))
        for uuid, name, traits in rows.order_by("name").values_list("id", "name", "traits")
    }
    stocks, memberships = Inventory.objects.all(), AggregateHost.objects.all()
    if uuids is not None:
        stocks, memberships = stocks.filter(host_id__in=list(found)), memberships.filter(host_id__in=list(found))
    columns = ("host_id", "resource_class", "total", "reserved", "ratio", "capacity", "used", "generation")
    for host_id, resource_class, *numbers in stocks.order_by("id").values_list(*columns):
        if host_id in found:
            found[host_id].stock[resource_class] = Stock(*numbers)
    for host_id, aggregate in memberships.values_list("host_id", "aggregate__uuid"):
        if host_id in found:
            found[host_id].aggregates.add(aggregate)
    return list(found.values())


def one(uuid: str) -> Provider:
    """Raises ProviderNotFound."""
    for provider in load([uuid]):
        return provider
    raise ProviderNotFound(uuid=uuid)


def resource_classes() -> list[str]:
    """The standard ones, and what hosts have besides."""
    found = set(Inventory.objects.values_list("resource_class", flat=True).distinct())
    return [*STANDARD_CLASSES, *sorted(found - set(STANDARD_CLASSES))]


def traits() -> set[str]:
    """Every trait that some host has."""
    found: set[str] = set()
    for of_host in Host.objects.alive().values_list("traits", flat=True):
        found |= set(of_host)
    return found
