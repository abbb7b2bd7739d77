"""The body of ``rescue``: an image, if not the server's own, and a password."""

from __future__ import annotations

from django.http import HttpResponse

from computecloud.core.errors import Invalid, NotFound
from computecloud.http.answers import answer
from instances.actions.rescue import Rescue
from instances.api.asked import Asked
from instances.api.server_create import password
from instances.errors import NotRescuable
from integrations.images import facade as images


def rescue(asked: Asked) -> HttpResponse:
    """Answers with the password that the rescued guest has, if it reads its config drive."""
    wish = asked.args or {}
    secret = wish.get("adminPass") or password()
    image_id = _image(asked, wish.get("rescue_image_ref"))
    Rescue.request(asked.actor, asked.server, asked.request_id, rescue_image_id=image_id, admin_password=secret)
    return answer({"adminPass": secret})


def _image(asked: Asked, wanted: str | None) -> str:
    image_id = wanted or asked.server.image_id
    if not image_id:
        raise NotRescuable(instance_id=asked.server.id, reason="it was not made of an image, and none was given.")
    try:
        image = images.get(asked.actor, image_id)
    except NotFound:
        image = None
    if image is None or not image.is_active:
        raise Invalid(f"Requested rescue image '{image_id}' is not supported")
    return image.id
