"""The body of ``rebuild``, at any version: what a server is to be from now on; references found, limits checked."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.http import HttpResponse

from computecloud.core.errors import Invalid, NotFound
from computecloud.http.answers import answer
from computecloud.http.policy import authorize
from instances.actions.create import FlavorSnapshot
from instances.actions.rebuild import Rebuild
from instances.api import server_rows
from instances.api.asked import Asked
from instances.api.links import thing_links
from instances.api.schemas.types import truth
from instances.api.server_create import canonical, check_fit, checked_user_data, key_named, password
from instances.errors import BadReference
from instances.models import Instance
from instances.placement import to_request
from instances.server_labels import check_metadata_size
from integrations.images import facade as images
from integrations.images.facade import Image
from operations.models import Operation
from scheduling import service

OF_IMAGES = frozenset({"ImagePropertiesFilter", "TraitsFilter"})
Columns = dict[str, Any]
PLAIN = {
    "description": "description",
    "OS-DCF:diskConfig": "disk_config",
    "accessIPv4": "access_ip_v4",
    "hostname": "hostname",
}


TOLD = {"key_name": (2, 54), "user_data": (2, 57)}
"""What its owner is told here besides, and since when."""


def rebuild(asked: Asked) -> HttpResponse:
    """Answers with the server as it will be, and its new password."""
    wish, server = asked.args, asked.server
    if wish.get("personality"):
        raise Invalid(
            "Files are not injected into guests (personality): pass user_data, which a config drive also carries."
        )
    image = _image(asked, wish["imageRef"])
    columns: Columns = {"image_id": image.id, "image_properties": dict(image.properties)}
    columns |= {PLAIN[name]: value for name, value in wish.items() if name in PLAIN}
    for name, read in READ.items():
        if name in wish:
            columns |= read(asked, wish[name])
    if columns["image_properties"] != server.image_properties:
        _check_host(server, columns)
    secret = wish.get("adminPass") or password()
    Rebuild.request(
        asked.actor,
        server,
        asked.request_id,
        columns=columns,
        preserve_ephemeral=truth(wish.get("preserve_ephemeral", False)),
        admin_password=secret,
    )
    shown = server_rows.shown_after_update(asked.actor, asked.version, server.id) | {"adminPass": secret}
    for name, since in TOLD.items():
        if asked.version >= since:
            shown[name] = columns.get(name, getattr(server, name))
    return answer({"server": shown}, 202, {"Location": thing_links("servers", server.id)[0]["href"]})


def _image(asked: Asked, image_id: str) -> Image:
    try:
        image = images.get(asked.actor, image_id)
    except NotFound:
        raise BadReference("Cannot find image for rebuild") from None
    if not image.is_active:
        raise BadReference(f"Image {image_id} is not active.")
    server = asked.server
    figures = (server.flavor_id, server.flavor_name, server.vcpus, server.ram_mb, server.disk_gb)
    check_fit(asked.actor, FlavorSnapshot(*figures), image)
    return image


def _check_host(server: Instance, columns: Columns) -> None:
    """The server stays where it is, with what it holds there: no image that asks for more, or for another host."""
    other = copy.copy(server)
    other.image_id, other.image_properties = columns["image_id"], columns["image_properties"]
    now, then = server.wishes(), other.wishes()
    if (now.resources, now.cells) != (then.resources, then.cells):
        raise Invalid(
            "An instance's resources cannot be changed as part of a rebuild. The image provided is invalid for this "
            "instance."
        )
    if server.host is None:
        return
    request = to_request(other, Operation(verb=Rebuild.verb, args={"forced_host": server.host.name}))
    request = replace(
        request, resources={}, cells=(), group=None, availability_zone=None, hints={}, same_host_ids=None,
        different_host_ids=frozenset(),
    )  # fmt: skip
    verdict = service.ask(request)
    if not verdict.candidates and verdict.blocked_by in OF_IMAGES:
        raise Invalid(f"The image cannot be used on the server's host: {verdict.fault}")


# --- fields that are read before they become columns


def _name(asked: Asked, value: str) -> Columns:
    return {"name": value.strip()}


def _metadata(asked: Asked, value: dict[str, str]) -> Columns:
    check_metadata_size(asked.server.project_id, len(value))
    return {"metadata": dict(value)}


def _address(asked: Asked, value: str) -> Columns:
    return {"access_ip_v6": canonical(value)}


def _key(asked: Asked, value: str | None) -> Columns:
    """One of the keys of whoever asks: keys are people's, servers are their project's."""
    key = key_named(asked.actor, value)
    return {"key_name": key.name if key else None, "public_key": key.public_key if key else ""}


def _user_data(asked: Asked, value: str | None) -> Columns:
    return {"user_data": checked_user_data(value)}


def _trusted(asked: Asked, value: list[str] | None) -> Columns:
    if value:
        authorize(asked.actor, f"{Rebuild.rule}:trusted_certs", asked.server.project_id)
    return {"trusted_image_certificates": value or None}


READ: dict[str, Callable[[Asked, Any], Columns]] = {
    "name": _name,
    "metadata": _metadata,
    "accessIPv6": _address,
    "key_name": _key,
    "user_data": _user_data,
    "trusted_image_certificates": _trusted,
}
