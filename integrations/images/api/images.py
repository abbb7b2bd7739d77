"""Images as clients list, make, show, change, tag, set aside and delete them."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from computecloud.core.errors import Forbidden, Invalid
from computecloud.http.answers import answer, empty
from computecloud.http.bodies import check
from computecloud.http.microversions import HashableSchema
from computecloud.http.pagination import public_link
from computecloud.http.views import ServiceViewSet, accepts
from integrations.images import facade, records
from integrations.images.api import listing, patching, shape
from integrations.images.api.schemas import CREATE, IMPORT, NEVER, READ_ONLY
from integrations.images.errors import ImageNotFound
from integrations.images.models import ImageStatus


class ImageViewSet(ServiceViewSet):
    """/v2/images and what hangs below one image, except its bytes and its members."""

    service = "image"
    policy = {
        "list": "image:list",
        "create": "image:create",
        "retrieve": "image:show",
        "update": "image:update",
        "destroy": "image:delete",
        "destroy_nothing": "image:delete",
        "put_tag": "image:tag",
        "remove_tag": "image:tag",
        "deactivate": "image:deactivate",
        "reactivate": "image:deactivate",
        "start_import": "image:import",
    }

    def list(self, request: Any) -> HttpResponse:
        if request._request.public_path.endswith("/"):  # an image whose id is nothing, not the list
            raise ImageNotFound(image_id="")
        return answer(listing.page(self.actor, dict(request._request.GET.lists())))

    @accepts({"type": "object"})
    def create(self, request: Any, body: dict[str, Any]) -> HttpResponse:
        values, tags = _to_values(body)
        image = records.create(self.actor, values, tags)
        return answer(shape.one(image), 201, {"Location": public_link(f"/image/v2/images/{image.id}")})

    def retrieve(self, request: Any, image_id: str) -> HttpResponse:
        return answer(shape.one(records.seen(self.actor, image_id)))

    def update(self, request: Any, image_id: str) -> HttpResponse:
        image = records.own(self.actor, image_id)
        change = patching.apply(image, patching.read(request))
        if change.values or change.tags is not None:
            records.change(self.actor, image, change.values, change.tags)
            facade.forget(image_id)
        return answer(shape.one(records.seen(self.actor, image_id)))

    def destroy(self, request: Any, image_id: str) -> HttpResponse:
        facade.delete(self.actor, image_id)
        return empty(204)

    def destroy_nothing(self, request: Any) -> HttpResponse:
        raise ImageNotFound(image_id="")

    def put_tag(self, request: Any, image_id: str, tag: str) -> HttpResponse:
        if len(tag) > 255:
            raise Invalid("A tag has at most 255 characters.")
        records.put_tag(self.actor, image_id, tag)
        return empty(204)

    def remove_tag(self, request: Any, image_id: str, tag: str) -> HttpResponse:
        records.remove_tag(self.actor, image_id, tag)
        return empty(204)

    def deactivate(self, request: Any, image_id: str) -> HttpResponse:
        return self._set_aside(image_id, ImageStatus.DEACTIVATED)

    def reactivate(self, request: Any, image_id: str) -> HttpResponse:
        return self._set_aside(image_id, ImageStatus.ACTIVE)

    def _set_aside(self, image_id: str, status: ImageStatus) -> HttpResponse:
        records.set_aside(self.actor, image_id, status)
        facade.forget(image_id)
        return empty(204)

    @accepts(IMPORT)
    def start_import(self, request: Any, image_id: str, body: dict[str, Any]) -> HttpResponse:
        records.own(self.actor, image_id)
        raise Invalid(f"Import method '{body['method']['name'][:40]}' is not offered; upload the image's data instead.")


def _to_values(body: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The columns and tags that a POST asks for. Raises Forbidden for what a client may not set, Invalid."""
    for name in body:
        if name in READ_ONLY:
            raise Forbidden(f"Attribute '{name}' is read-only.")
        if name in NEVER or name.startswith("os_glance"):
            raise Forbidden(f"Attribute '{name}' is reserved.")
    check(_CREATE, body)
    own = set(shape.COLUMNS)
    values = {shape.COLUMNS[name]: value for name, value in body.items() if name in own}
    if "id" in values:
        values["id"] = values["id"].lower()
    values["properties"] = {name: value for name, value in body.items() if name not in own and name != "tags"}
    return values, body.get("tags", [])


_CREATE = HashableSchema(CREATE)
