"""How Placement's answers look, by microversion."""

from __future__ import annotations

from typing import Any

from hosts.api.placement.providers import Provider, Stock

Version = tuple[int, int]
PREFIX = "/placement"
LINKS: tuple[tuple[str, Version], ...] = (
    ("inventories", (1, 0)),
    ("usages", (1, 0)),
    ("aggregates", (1, 1)),
    ("traits", (1, 6)),
    ("allocations", (1, 11)),
)


def provider(found: Provider, version: Version) -> dict[str, Any]:
    here = f"{PREFIX}/resource_providers/{found.uuid}"
    links = [{"rel": "self", "href": here}]
    links += [{"rel": name, "href": f"{here}/{name}"} for name, since in LINKS if version >= since]
    shown: dict[str, Any] = {"uuid": found.uuid, "name": found.name, "generation": found.generation, "links": links}
    if version >= (1, 14):
        shown |= {"parent_provider_uuid": None, "root_provider_uuid": found.uuid}
    return shown


def inventory(stock: Stock) -> dict[str, Any]:
    return {
        "total": stock.total,
        "reserved": stock.reserved,
        "min_unit": 1,
        "max_unit": max(stock.total, 1),
        "step_size": 1,
        "allocation_ratio": stock.ratio,
    }


def resource_class(name: str) -> dict[str, Any]:
    return {"name": name, "links": [{"rel": "self", "href": f"{PREFIX}/resource_classes/{name}"}]}


def summary(found: Provider, wanted: set[str], version: Version) -> dict[str, Any]:
    """A provider beside the candidates that use it; from 1.27 with all its classes."""
    shown: dict[str, Any] = {
        "resources": {
            name: {"capacity": stock.capacity, "used": stock.used}
            for name, stock in found.stock.items()
            if version >= (1, 27) or name in wanted
        }
    }
    if version >= (1, 17):
        shown["traits"] = sorted(found.traits)
    if version >= (1, 29):
        shown |= {"parent_provider_uuid": None, "root_provider_uuid": found.uuid}
    return shown


def candidate(
    found: Provider, groups: dict[str, dict[str, int]], totals: dict[str, int], version: Version
) -> dict[str, Any]:
    """One way to place the request: all of it on one host."""
    if version < (1, 12):
        return {"allocations": [{"resource_provider": {"uuid": found.uuid}, "resources": totals}]}
    shown: dict[str, Any] = {"allocations": {found.uuid: {"resources": totals}}}
    if version >= (1, 34):
        shown["mappings"] = {suffix: [found.uuid] for suffix in groups}
    return shown
