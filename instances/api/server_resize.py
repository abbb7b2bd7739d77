"""The bodies of ``resize`` and ``migrate``: a flavor that the server fits into, a host (2.56) that is not its own."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.http import HttpResponse

from computecloud.core.errors import Invalid
from computecloud.http.answers import empty
from computecloud.http.policy import authorize
from instances import flavor_snapshots
from instances.actions.create import FlavorSnapshot
from instances.actions.resize import Migrate, Resize
from instances.api.asked import Asked
from instances.api.server_create import check_fit
from instances.errors import CannotResizeDisk, SameFlavor, SameHost
from instances.fleet import require_host
from instances.models import Instance
from integrations.images import facade as images

TO_HOST = "os_compute_api:os-migrate-server:migrate:host"
RENAMED = {"id": "flavor_id", "name": "flavor_name"}


def resize(asked: Asked) -> HttpResponse:
    flavor = flavor_snapshots.get(asked.actor, str(asked.args["flavorRef"]))
    Resize.check(asked.actor, asked.server)
    _check_disk(asked.server, flavor)
    if flavor.id == asked.server.flavor_id:
        raise SameFlavor
    _check_image(asked, flavor)
    wish: dict[str, Any] = {"flavor": columns_of(flavor)}
    if "OS-DCF:diskConfig" in asked.args:
        wish["columns"] = {"disk_config": asked.args["OS-DCF:diskConfig"]}
    Resize.request(asked.actor, asked.server, asked.request_id, **wish)
    return empty(202)


def migrate(asked: Asked) -> HttpResponse:
    name = (asked.args or {}).get("host") if asked.version >= (2, 56) else None
    Migrate.check(asked.actor, asked.server)
    if name is None:
        Migrate.request(asked.actor, asked.server, asked.request_id)
        return empty(202)
    authorize(asked.actor, TO_HOST, asked.server.project_id)
    require_host(name)
    if asked.server.host is not None and name == asked.server.host.name:
        raise SameHost
    Migrate.request(asked.actor, asked.server, asked.request_id, forced_host=name)
    return empty(202)


def columns_of(flavor: FlavorSnapshot) -> dict[str, Any]:
    """A flavor as the columns of a server that has it."""
    return {RENAMED.get(name, name): value for name, value in asdict(flavor).items()}


def _check_disk(server: Instance, flavor: FlavorSnapshot) -> None:
    """A disk may grow, and neither shrink nor become as large as its image."""
    if flavor.disk_gb == 0 and server.disk_gb:
        raise CannotResizeDisk(reason="Resize to zero disk flavor is not allowed.")
    if flavor.disk_gb < server.disk_gb or flavor.ephemeral_gb < server.ephemeral_gb:
        raise CannotResizeDisk(reason="Unable to resize disk down.")


def _check_image(asked: Asked, flavor: FlavorSnapshot) -> None:
    """What the image asks for at least; one that is gone asks for nothing any more."""
    image = images.known(asked.server.image_id) if asked.server.image_id else None
    if image is not None and flavor.disk_gb:
        check_fit(asked.actor, flavor, image)
    elif image is not None and flavor.ram_mb < image.min_ram_mb:
        raise Invalid("Flavor's memory is too small for requested image.")
