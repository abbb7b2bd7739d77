"""From the body of ``POST /servers``, at any version, to today's ``CreateRequest``; references found, limits checked.

After ``to_request`` nobody asks for the version.
"""

from __future__ import annotations

import base64
import binascii
import secrets
import string
from collections.abc import Callable, Mapping
from ipaddress import IPv6Address
from typing import Any

from computecloud.conf import conf
from computecloud.core.actor import Actor
from computecloud.core.errors import Forbidden, Invalid, NotFound, OverQuota
from computecloud.core.ids import is_uuid
from computecloud.http.policy import allows, authorize
from computecloud.http.services import Version
from hosts.models import Host
from instances import flavor_snapshots
from instances.actions.create import CreateRequest, FlavorSnapshot
from instances.api.schemas.types import truth
from instances.api.server_devices import local_devices
from instances.api.server_hints import hints_of
from instances.errors import BadReference
from instances.fleet import require_host, zone_of
from instances.models import KeyPair
from instances.server_labels import check_metadata_size
from integrations.images import facade as images
from integrations.images.facade import Image
from integrations.networks import facade as networks
from integrations.networks.facade import NetworkWish, PortPlan
from scheduling import wishes

CREATE = "os_compute_api:servers:create"
MOST_AT_ONCE = 1000
PASSWORD_LETTERS = "".join(sorted(set(string.ascii_letters + string.digits) - set("0O1lI")))
GIB = 1024**3


def password() -> str:
    """A new administrator's password of twelve letters and digits that cannot be mistaken for each other."""
    return "".join(secrets.choice(PASSWORD_LETTERS) for _ in range(12))


def to_request(
    body: Mapping[str, Any],
    version: Version,
    actor: Actor,
    flavor_as: Callable[[FlavorSnapshot], FlavorSnapshot] = lambda flavor: flavor,
) -> CreateRequest:
    """A valid body as a request. Raises Invalid, Forbidden, OverQuota, Conflict in Nova's words.

    ``flavor_as``: what to take the flavor for, in a what-if.
    """
    if actor.project_id is None:
        raise Forbidden("A server needs a project: the token has none.")
    server: Mapping[str, Any] = body["server"]
    _refuse_what_is_not_offered(server)
    least, most = _counts(server)
    flavor = flavor_as(flavor_snapshots.get(actor, str(server["flavorRef"]).rstrip("/").rpartition("/")[2]))
    image = _image(actor, server)
    check_fit(actor, flavor, image)
    wishes.read(flavor.vcpus, flavor.ram_mb, flavor.disk_gb, flavor.extra_specs, image.properties if image else None)
    zone, host, node = _place(actor, server)
    hints = hints_of(body)
    key = key_named(actor, server.get("key_name"))
    return CreateRequest(
        name=server["name"].strip(),
        flavor=flavor,
        image=image,
        count=most,
        min_count=least,
        description=server.get("description") if version >= (2, 19) else server["name"].strip(),
        hostname=_hostname(server, most),
        metadata=_metadata(actor.project_id, server.get("metadata", {})),
        tags=tuple(dict.fromkeys(server.get("tags", ()))),
        key_name=key.name if key else None,
        public_key=key.public_key if key else "",
        user_data=checked_user_data(server.get("user_data")),
        config_drive=truth(server.get("config_drive", False)) or _needs_config_drive(image),
        disk_config=server.get("OS-DCF:diskConfig", "MANUAL"),
        access_ip_v4=server.get("accessIPv4", ""),
        access_ip_v6=canonical(server.get("accessIPv6", "")),
        availability_zone=zone,
        forced_host=host,
        forced_node=node,
        security_groups=_security_groups(actor, server),
        networks=tuple(_networks(actor, server, most)),
        scheduler_hints=hints,
        server_group_id=hints.get("group"),
        block_devices=tuple(local_devices(server, flavor)),
        trusted_image_certificates=_trusted(actor, server),
        admin_password=server.get("adminPass") or password(),
    )


def _refuse_what_is_not_offered(server: Mapping[str, Any]) -> None:
    if server.get("personality"):
        raise Invalid(
            "Files are not injected into guests (personality): pass user_data, which a config drive also carries."
        )
    if not server.get("imageRef") and not server.get("block_device_mapping_v2"):
        raise Invalid("Missing imageRef attribute")


def _counts(server: Mapping[str, Any]) -> tuple[int, int]:
    """(least, most) servers, at most a thousand at once."""
    least = int(server.get("min_count", 1))
    most = int(server.get("max_count", least))
    if least > most:
        raise Invalid("min_count must be <= max_count")
    if least < 1:
        raise Invalid("Invalid input for field/attribute min_count. 0 is less than the minimum of 1")
    if least > MOST_AT_ONCE:
        raise OverQuota(f"Quota exceeded for instances: at most {MOST_AT_ONCE} can be created by one request")
    return least, min(most, MOST_AT_ONCE)


def _image(actor: Actor, server: Mapping[str, Any]) -> Image | None:
    image_id = server.get("imageRef")
    if not image_id:
        return None
    try:
        image = images.get(actor, image_id)
    except NotFound:
        raise BadReference("Can not find requested image") from None
    if not image.is_active:
        raise BadReference(f"Image {image_id} is not active.")
    return image


def check_fit(actor: Actor, flavor: FlavorSnapshot, image: Image | None) -> None:
    """The image fits into the flavor. A flavor without a disk takes any image, for those who may."""
    if image is None:
        return
    if flavor.ram_mb < image.min_ram_mb:
        raise Invalid("Flavor's memory is too small for requested image.")
    if flavor.disk_gb == 0:
        if not allows(actor, f"{CREATE}:zero_disk_flavor"):
            raise Forbidden("Only volume-backed servers are allowed for flavors with zero disk.")
        return
    disk = flavor.disk_gb * GIB
    if disk < max(image.size or 0, image.virtual_size or 0):
        size = max(image.size or 0, image.virtual_size or 0)
        raise Invalid(
            f"Flavor's disk is too small for requested image. Flavor disk is {disk} bytes, image is {size} bytes."
        )
    if flavor.disk_gb < image.min_disk_gb:
        raise Invalid(
            "Flavor's disk is smaller than the minimum size specified in image metadata. "
            f"Flavor disk is {disk} bytes, minimum size is {image.min_disk_gb * GIB} bytes."
        )


def _needs_config_drive(image: Image | None) -> bool:
    return image is not None and image.properties.get("img_config_drive") == "mandatory"


# --- where


def _place(actor: Actor, server: Mapping[str, Any]) -> tuple[str | None, str | None, str | None]:
    """(zone, forced host, forced node). Administrators may write ``zone:host``, ``zone:host:node``, ``zone::node``."""
    zone, host, node = _parsed_zone(server.get("availability_zone"))
    if host or node:
        authorize(actor, f"{CREATE}:forced_host")
    asked_host, asked_node = server.get("host"), server.get("hypervisor_hostname")
    if asked_host or asked_node:
        authorize(actor, "compute:servers:create:requested_destination")
        if host or node:
            raise Invalid(
                "One mechanism with host and/or hypervisor_hostname and another mechanism with zone:host:node "
                "are mutually exclusive."
            )
        host, node = asked_host, asked_node
    if host or node:
        return _zone_of_forced(zone, host, node), host, node
    if zone and zone != conf().default_availability_zone and not _is_zone(zone):
        raise Invalid("The requested availability zone is not available")
    return zone, None, None


def _parsed_zone(text: str | None) -> tuple[str | None, str | None, str | None]:
    zone, *rest = (text or "").split(":")
    if len(rest) > 2:
        raise Invalid("Invalid input received: Unable to parse availability_zone")
    host, node = (*rest, "", "")[:2]
    return zone or None, host or None, node or None


def _is_zone(zone: str) -> bool:
    return Host.objects.alive().filter(aggregates__availability_zone=zone).exists()


def _zone_of_forced(zone: str | None, host: str | None, node: str | None) -> str | None:
    """The zone asked for, if the host is in it; else none, so that the server is not pinned to a zone it is not in."""
    for name in (host, node):
        if name:
            require_host(name)
    if host and node and host != node:
        raise Invalid(f"Compute host {host} could not be found: it has no node {node}.")
    return zone if zone == zone_of(name=host or node) else None


# --- what it is given


def _hostname(server: Mapping[str, Any], count: int) -> str | None:
    hostname: str | None = server.get("hostname")
    if hostname and count > 1:
        raise Invalid("Unable to allocate a single hostname to multiple instances")
    return hostname


def _metadata(project_id: str, metadata: Mapping[str, str]) -> dict[str, str]:
    check_metadata_size(project_id, len(metadata))
    return dict(metadata)


def key_named(actor: Actor, name: str | None) -> KeyPair | None:
    if name is None:
        return None
    key = KeyPair.objects.filter(user_id=actor.user_id, name=name).only("name", "public_key").first()
    if key is None:
        raise BadReference("Invalid key_name provided.")
    return key


def checked_user_data(text: str | None) -> str | None:
    if not text:
        return None
    try:
        base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Invalid("User data needs to be valid base 64.") from None
    return text


def _trusted(actor: Actor, server: Mapping[str, Any]) -> list[str] | None:
    certificates: list[str] | None = server.get("trusted_image_certificates")
    if certificates:
        authorize(actor, f"{CREATE}:trusted_certs")
    return certificates or None


def _security_groups(actor: Actor, server: Mapping[str, Any]) -> tuple[str, ...]:
    """Names or ids, as they were asked for, each once; found to exist. The default group is made when first needed."""
    asked = tuple(dict.fromkeys(group["name"] for group in server.get("security_groups", ()) if group.get("name")))
    if asked in ((), ("default",)):
        return ("default",)
    networks.resolve_groups(actor, asked)
    return asked


def _networks(actor: Actor, server: Mapping[str, Any], count: int) -> list[PortPlan]:
    asked = server.get("networks")
    if isinstance(asked, str):
        return networks.resolve(actor, "none" if asked == "none" else "auto")
    wishes = [_wish(network, count) for network in asked or ()]
    return networks.resolve(actor, wishes or None)


def _wish(network: Mapping[str, Any], count: int) -> NetworkWish:
    port, address = network.get("port"), network.get("fixed_ip")
    if port and address:
        raise Invalid(
            f"Specified Fixed IP '{address}' cannot be used with port '{port}': the two cannot be specified together."
        )
    if port:
        if count > 1:
            raise Invalid(
                "Failed to launch instances: Unable to launch multiple instances with a single configured port ID. "
                "Please launch your instance one by one with different ports."
            )
        return NetworkWish(port_id=port, tag=network.get("tag"))
    if "uuid" not in network:
        raise Invalid("Bad network format: missing 'uuid'")
    if not is_uuid(network["uuid"]):
        raise Invalid(f"Bad networks format: network uuid is not in proper format ({network['uuid']})")
    if address and count > 1:
        raise Invalid("Failed to launch instances: max_count cannot be greater than 1 if an fixed_ip is specified.")
    return NetworkWish(network_id=network["uuid"], fixed_ip=address, tag=network.get("tag"))


def canonical(address: str) -> str:
    """An IPv6 address as RFC 5952 writes it; empty stays empty."""
    return str(IPv6Address(address)) if address else ""
