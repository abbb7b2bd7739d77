"""``/images``, up to 2.35, and ``/images/{id}/metadata``, up to 2.38: forwarded to the Image service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse

from computecloud.core.clock import iso, parse
from computecloud.core.errors import Forbidden, Invalid, NotFound
from computecloud.http.answers import answer, empty
from computecloud.http.microversions import available
from computecloud.http.pagination import limit_of, public_link
from computecloud.http.views import ServiceViewSet, accepts, query
from instances import quotas
from instances.api.links import next_links, thing_links
from instances.api.queries import Params, last, whole_number
from instances.api.schemas.proxies import IMAGE_METADATA, IMAGE_METADATUM, IMAGE_QUERY
from integrations.images import facade as images
from integrations.images.facade import Image

STATUS = {
    "active": "ACTIVE",
    "queued": "SAVING",
    "saving": "SAVING",
    "importing": "SAVING",
    "uploading": "SAVING",
    "deleted": "DELETED",
    "pending_delete": "DELETED",
    "killed": "ERROR",
}
PROGRESS = {"queued": 25, "saving": 50, "active": 100}


def brief(image: Image) -> dict[str, Any]:
    """An image in ``GET /images``."""
    alternate = {
        "rel": "alternate",
        "type": "application/vnd.openstack.image",
        "href": public_link(f"/image/images/{image.id}"),
    }
    return {"id": image.id, "name": image.name, "links": [*thing_links("images", image.id), alternate]}


def full(image: Image) -> dict[str, Any]:
    """An image in every other answer; with its server when it is a snapshot."""
    shown = brief(image) | {
        "minRam": image.min_ram_mb,
        "minDisk": image.min_disk_gb,
        "metadata": dict(image.properties),
        "created": iso(image.created_at),
        "updated": iso(image.updated_at),
        "status": STATUS.get(image.status, "UNKNOWN"),
        "progress": PROGRESS.get(image.status, 0),
        "OS-EXT-IMG-SIZE:size": image.size,
    }
    if server_id := image.properties.get("instance_uuid"):
        shown["server"] = {"id": server_id, "links": thing_links("servers", server_id)}
    if (auto := image.properties.get("auto_disk_config")) is not None:
        shown["OS-DCF:diskConfig"] = "AUTO" if auto.lower() in ("1", "true", "yes", "on", "t", "y") else "MANUAL"
    return shown


def _wanted(image: Image, params: Params) -> bool:
    """Whether an image passes the filters of a list."""
    status, server = last(params, "status"), last(params, "server")
    exact = (
        (image.name, last(params, "name")),
        (image.status, status.lower() if status else None),
        (image.properties.get("instance_uuid"), server.rsplit("/", 1)[-1] if server else None),
        (image.properties.get("image_type"), last(params, "type")),
    )
    if any(asked is not None and asked != value for value, asked in exact):
        return False
    return image.min_ram_mb >= (whole_number(params, "minRam") or 0) and image.min_disk_gb >= (
        whole_number(params, "minDisk") or 0
    )


def _since(params: Params) -> dict[str, Any]:
    text = last(params, "changes-since")
    if text is None:
        return {}
    try:
        return {"updated_at__gte": parse(text)}
    except ValueError:
        raise Invalid(f"Invalid changes-since filter [{text[:100]}]") from None


def page(actor: Any, params: Params) -> list[Image]:
    """One page of the images that the actor sees, newest first. Raises Invalid for an unknown marker."""
    found = [image for image in images.query(actor, **_since(params)) if _wanted(image, params)]
    marker = last(params, "marker")
    if marker is not None:
        places = [place for place, image in enumerate(found) if image.id == marker]
        if not places:
            raise Invalid(f"Marker {marker[:255]} could not be found.")
        found = found[places[0] + 1 :]
    return found[: limit_of(params)]


class ImageViewSet(ServiceViewSet):
    """Images that the actor may use."""

    service = "compute"
    policy = {
        "list": "compute:images:read",
        "list_detail": "compute:images:read",
        "retrieve": "compute:images:read",
        "destroy": "compute:images:write",
    }

    @available(until="2.35")
    @query(IMAGE_QUERY)
    def list(self, request: Any, params: Params) -> HttpResponse:
        return self._page(request, params, brief)

    @available(until="2.35")
    @query(IMAGE_QUERY)
    def list_detail(self, request: Any, params: Params) -> HttpResponse:
        return self._page(request, params, full)

    def _page(self, request: Any, params: Params, shape: Any) -> HttpResponse:
        found = page(self.actor, params)
        links = next_links(request, [image.id for image in found], limit_of(params), "limit" in params)
        return answer({"images": [shape(image) for image in found]} | ({"images_links": links} if links else {}))

    @available(until="2.35")
    def retrieve(self, request: Any, image_id: str) -> HttpResponse:
        return answer({"image": full(images.get(self.actor, image_id))})

    @available(until="2.35")
    def destroy(self, request: Any, image_id: str) -> HttpResponse:
        images.delete(self.actor, image_id)
        return empty(204)


class ImageMetadataViewSet(ServiceViewSet):
    """An image's own properties, as a table of words."""

    service = "compute"
    policy = {
        "list": "compute:images:read",
        "retrieve": "compute:images:read",
        "create": "compute:images:write",
        "replace": "compute:images:write",
        "update": "compute:images:write",
        "destroy": "compute:images:write",
    }

    def _write(self, image_id: str, properties: Mapping[str, str]) -> Mapping[str, str]:
        limit = quotas.limit_of(self.actor.project_id or "", "metadata_items")
        if 0 <= limit < len(properties):
            raise Forbidden("Image metadata limit exceeded")
        return images.change_properties(self.actor, image_id, properties).properties

    def _properties(self, image_id: str) -> dict[str, str]:
        return dict(images.get(self.actor, image_id).properties)

    @available(until="2.38")
    def list(self, request: Any, image_id: str) -> HttpResponse:
        return answer({"metadata": self._properties(image_id)})

    @available(until="2.38")
    @accepts(IMAGE_METADATA)
    def create(self, request: Any, image_id: str, body: dict[str, Any]) -> HttpResponse:
        return answer({"metadata": self._write(image_id, self._properties(image_id) | body["metadata"])})

    @available(until="2.38")
    @accepts(IMAGE_METADATA)
    def replace(self, request: Any, image_id: str, body: dict[str, Any]) -> HttpResponse:
        return answer({"metadata": self._write(image_id, body["metadata"])})

    @available(until="2.38")
    def retrieve(self, request: Any, image_id: str, key: str) -> HttpResponse:
        found = self._properties(image_id)
        if key not in found:
            raise NotFound
        return answer({"meta": {key: found[key]}})

    @available(until="2.38")
    @accepts(IMAGE_METADATUM)
    def update(self, request: Any, image_id: str, key: str, body: dict[str, Any]) -> HttpResponse:
        if key not in body["meta"]:
            raise Invalid("Request body and URI mismatch")
        self._write(image_id, self._properties(image_id) | body["meta"])
        return answer({"meta": body["meta"]})

    @available(until="2.38")
    def destroy(self, request: Any, image_id: str, key: str) -> HttpResponse:
        found = self._properties(image_id)
        if key not in found:
            raise NotFound("Invalid metadata key")
        self._write(image_id, {name: value for name, value in found.items() if name != key})
        return empty(204)
