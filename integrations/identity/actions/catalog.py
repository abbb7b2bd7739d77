"""Catalogue entries beside the built-in ones, which cannot be changed here."""

from __future__ import annotations

from typing import Any

from computecloud.conf import conf
from computecloud.core.ids import new_hex
from integrations.identity.actions.storing import storing
from integrations.identity.catalog import built_in
from integrations.identity.errors import EntityNotFound, Immutable, InvalidReference
from integrations.identity.models import Endpoint, Region, Service


def _refuse_built_in(kind: str, id: str) -> None:
    """Raises Immutable."""
    services = {service.id for service in built_in()}
    endpoints = {endpoint.id for service in built_in() for endpoint in service.endpoints}
    if id in {"service": services, "endpoint": endpoints, "region": {conf().region}}[kind]:
        raise Immutable(what=f"The built-in {kind} {id}")


def service(id: str) -> Service:
    """An added service, to be changed. Raises Immutable or EntityNotFound."""
    _refuse_built_in("service", id)
    row = Service.objects.filter(id=id).first()
    if row is None:
        raise EntityNotFound(kind="service", id=id)
    return row


def endpoint(id: str) -> Endpoint:
    """An added endpoint, to be changed. Raises Immutable or EntityNotFound."""
    _refuse_built_in("endpoint", id)
    row = Endpoint.objects.filter(id=id).first()
    if row is None:
        raise EntityNotFound(kind="endpoint", id=id)
    return row


def region(id: str) -> Region:
    """An added region, to be changed. Raises Immutable or EntityNotFound."""
    _refuse_built_in("region", id)
    row = Region.objects.filter(id=id).first()
    if row is None:
        raise EntityNotFound(kind="region", id=id)
    return row


def _save(row: Service | Endpoint, values: dict[str, Any], columns: tuple[str, ...]) -> None:
    for name in columns:
        if name in values:
            setattr(row, name, "" if values[name] is None and name in ("name", "description") else values[name])
    row.save()


def save_service(row: Service, values: dict[str, Any]) -> Service:
    _save(row, values, ("type", "name", "description", "enabled"))
    return row


def save_endpoint(row: Endpoint, values: dict[str, Any]) -> Endpoint:
    """Raises InvalidReference for a service or region that does not exist."""
    region_id = values.get("region_id", values.get("region"))
    if region_id is not None and region_id != conf().region and not Region.objects.filter(id=region_id).exists():
        if "region_id" in values:
            raise InvalidReference(field="region_id", reason=f"region {region_id} does not exist")
        Region.objects.create(id=region_id)
    if "service_id" in values and not Service.objects.filter(id=values["service_id"]).exists():
        raise InvalidReference(field="service_id", reason="no such service that endpoints can be added to")
    if region_id is not None:
        row.region_id = region_id
    _save(row, values, ("service_id", "interface", "url", "enabled"))
    return row


def _region_parent(values: dict[str, Any], own_id: str) -> str | None:
    """Raises EntityNotFound, InvalidReference for a circle."""
    parent_id: str | None = values.get("parent_region_id")
    above = parent_id
    while above is not None:
        if above == own_id:
            raise InvalidReference(field="parent_region_id", reason="a region cannot lie in itself")
        row = Region.objects.filter(id=above).values_list("parent_id").first()
        if row is None:
            raise EntityNotFound(kind="region", id=above)
        above = row[0]
    return parent_id


def create_region(values: dict[str, Any]) -> Region:
    """Raises Duplicate, EntityNotFound (parent)."""
    region_id = values.get("id") or new_hex()
    with storing("region", f"ID {region_id}"):
        if region_id == conf().region:
            raise Immutable(what=f"The built-in region {region_id}")
        row = Region(id=region_id, description=values.get("description") or "")
        row.parent_id = _region_parent(values, region_id)
        row.save(force_insert=True)
    return row


def update_region(row: Region, values: dict[str, Any]) -> Region:
    if "description" in values:
        row.description = values["description"] or ""
    if "parent_region_id" in values:
        row.parent_id = _region_parent(values, row.id)
    row.save()
    return row


def delete_region(row: Region) -> None:
    """Raises Immutable while endpoints or other regions lie in it."""
    if row.children.exists() or Endpoint.objects.filter(region_id=row.id).exists():
        raise Immutable(what=f"Region {row.id} is in use and")
    row.delete()
