"""The shapes of a server in answers, by version and by who looks; no query is made here.

Rows come from ``server_rows`` as named tuples. Their ``…_json`` columns are JSON text, which goes into the answer as
it is; their ``…_text`` columns are times as the database writes them, always UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import attrgetter
from typing import Any

import orjson

from computecloud.conf import conf
from computecloud.core.actor import Actor
from computecloud.http.microversions import Field, VersionedShape
from computecloud.http.policy import allows
from computecloud.http.services import Version
from instances.api import server_hosts

WITH_PROGRESS = frozenset({"ACTIVE", "BUILD", "REBUILD", "RESIZE", "VERIFY_RESIZE", "MIGRATING"})
WITH_FAULT = frozenset({"ERROR", "DELETED"})
SEES_HOSTS = "os_compute_api:os-extended-server-attributes"
SEES_HOST_STATUS = "os_compute_api:servers:show:host_status"
SEES_EXTRA_SPECS = "os_compute_api:servers:show:flavor-extra-specs"
IMAGE_PROPERTIES = ("hw_", "os_", "img_", "traits_required")
OLD_IMAGE_PROPERTIES = frozenset({"architecture", "owner_id", "vm_mode", "auto_disk_config", "root_device_name"})


@dataclass(frozen=True, slots=True)
class Onlooker:
    """For whom an answer is written, and what was read beside the rows."""

    version: Version
    sees_hosts: bool
    sees_host_status: bool
    sees_extra_specs: bool
    is_admin: bool
    tags: Mapping[str, Sequence[str]] = field(default_factory=dict)
    group_names: Mapping[str, str] = field(default_factory=dict)
    server_groups: Mapping[str, Sequence[str]] = field(default_factory=dict)


def sees_hosts(actor: Actor) -> bool:
    """Whether the actor may know hosts, instance names and user data."""
    return allows(actor, SEES_HOSTS)


def onlooker(actor: Actor, version: Version, **found: Any) -> Onlooker:
    return Onlooker(
        version,
        sees_hosts(actor),
        allows(actor, SEES_HOST_STATUS),
        allows(actor, SEES_EXTRA_SPECS),
        actor.is_admin,
        **found,
    )


def zulu(text: str | None) -> str | None:
    """``2026-11-22 11:00:00.5+00`` → ``2026-11-22T11:00:00Z``."""
    return f"{text[:10]}T{text[11:19]}Z" if text else None


def micro(text: str | None) -> str | None:
    """``2026-11-22 11:00:00.5+00`` → ``2026-11-22T11:00:00.500000``."""
    return f"{text[:10]}T{text[11:19]}.{text[20:26].partition('+')[0]:0<6}" if text else None


@lru_cache(maxsize=1)
def _root() -> str:
    return conf().public_url.rstrip("/") + "/compute/"


def _links(row: Any, _: Any) -> list[dict[str, str]]:
    root = _root()
    return [
        {"rel": "self", "href": f"{root}v2.1/servers/{row.id}"},
        {"rel": "bookmark", "href": f"{root}servers/{row.id}"},
    ]


@lru_cache(maxsize=1024)
def _flavor_link(flavor_id: str) -> orjson.Fragment:
    link = {"rel": "bookmark", "href": f"{_root()}flavors/{flavor_id}"}
    return orjson.Fragment(orjson.dumps({"id": flavor_id, "links": [link]}))


@lru_cache(maxsize=1024)
def _flavor_figures(
    name: str, vcpus: int, ram: int, disk: int, ephemeral: int, swap: int, extra_specs: str | None
) -> orjson.Fragment:
    shown: dict[str, Any] = {
        "vcpus": vcpus, "ram": ram, "disk": disk, "ephemeral": ephemeral, "swap": swap, "original_name": name,
    }  # fmt: skip
    if extra_specs is not None:
        shown["extra_specs"] = orjson.Fragment(extra_specs)
    return orjson.Fragment(orjson.dumps(shown))


def _flavor(row: Any, who: Onlooker) -> orjson.Fragment:
    specs = row.extra_specs_json if who.sees_extra_specs else None
    return _flavor_figures(
        row.flavor_name, row.vcpus, row.ram_mb, row.disk_gb, row.ephemeral_gb, row.swap_mb, specs
    )


def is_standard(name: str) -> bool:
    """Whether an image property is one that means something to compute: only those are shown."""
    return name.startswith(IMAGE_PROPERTIES) or name in OLD_IMAGE_PROPERTIES


@lru_cache(maxsize=1024)
def _image(image_id: str, properties: str | None) -> orjson.Fragment:
    shown: dict[str, Any] = {
        "id": image_id,
        "links": [{"rel": "bookmark", "href": f"{_root()}images/{image_id}"}],
    }
    if properties is not None:
        known = orjson.loads(properties)
        shown["properties"] = {name: value for name, value in known.items() if is_standard(name)}
    return orjson.Fragment(orjson.dumps(shown))


def addresses(nics: Sequence[Mapping[str, Any]], *, extended: bool = True) -> dict[str, list[dict[str, Any]]]:
    """Network name → addresses, in the order of the nics."""
    shown: dict[str, list[dict[str, Any]]] = {}
    for nic in nics:
        found = shown.setdefault(nic["network_name"], [])
        for fixed in nic["fixed_ips"]:
            address = fixed["address"]
            entry = {"version": 6 if ":" in address else 4, "addr": address}
            if extended:
                entry |= {"OS-EXT-IPS:type": "fixed", "OS-EXT-IPS-MAC:mac_addr": nic["mac"]}
            found.append(entry)
    return shown


class Nics:
    """What answers need of a server's nics; made once for each text that the cache column holds."""

    __slots__ = ("addresses", "fixed_ips", "group_ids", "plain_addresses")

    def __init__(self, nics: Sequence[Mapping[str, Any]]) -> None:
        self.addresses = orjson.Fragment(orjson.dumps(addresses(nics)))
        self.plain_addresses = orjson.Fragment(orjson.dumps(addresses(nics, extended=False)))
        self.group_ids = tuple(dict.fromkeys(group for nic in nics for group in nic["security_groups"]))
        self.fixed_ips = tuple(fixed["address"] for nic in nics for fixed in nic["fixed_ips"])


@lru_cache(maxsize=2048)
def nics_of(network_info: str) -> Nics:
    """From the text of a server's cached nics."""
    return Nics(orjson.loads(network_info))


def _addresses(row: Any, extended: bool) -> orjson.Fragment | dict[str, Any]:
    if row.vm_state == "building":
        return {}
    nics = nics_of(row.network_info_json)
    return nics.addresses if extended else nics.plain_addresses


def security_groups(row: Any, names: Mapping[str, str]) -> list[dict[str, str]]:
    """The groups that the server's ports are in, each once."""
    return [{"name": names[group]} for group in nics_of(row.network_info_json).group_ids if group in names]


def fault(row: Any, who: Onlooker) -> dict[str, Any]:
    """Why the server is where it is; the details of a 500 are for administrators."""
    shown = {"code": row.fault_code, "created": zulu(row.fault_text or row.updated_text), "message": row.fault_message}
    if row.fault_details and (who.is_admin or row.fault_code != 500):
        shown["details"] = row.fault_details
    return shown


def _host(row: Any, _: Any) -> str | None:
    return server_hosts.facts(row.host_id).name or None


def _json(column: str) -> Callable[[Any, Any], orjson.Fragment | None]:
    get = attrgetter(column)

    def show(row: Any, _: Any) -> orjson.Fragment | None:
        text = get(row)
        return None if text is None else orjson.Fragment(text)

    return show


Fields = Mapping[str, Field | tuple[Field, ...]]


class BriefShape(VersionedShape):
    """A server in ``GET /servers``."""

    fields = {"id": Field("id"), "name": Field("name"), "links": Field(_links)}


CORE: Fields = {
    "id": Field("id"),
    "name": Field("name"),
    "status": Field("status"),
    "tenant_id": Field("project_id"),
    "user_id": Field("user_id"),
    "metadata": Field(_json("metadata_json")),
    "hostId": Field(lambda row, _: server_hosts.public_id(row.project_id, server_hosts.facts(row.host_id).name)),
    "image": (
        Field(lambda row, _: _image(row.image_id, None) if row.image_id else "", until="2.97"),
        Field(lambda row, _: _image(row.image_id, row.image_properties_json) if row.image_id else "", since="2.98"),
    ),
    "flavor": (Field(lambda row, _: _flavor_link(row.flavor_id), until="2.46"), Field(_flavor, since="2.47")),
    "created": Field(lambda row, _: zulu(row.created_text)),
    "updated": Field(lambda row, _: zulu(row.updated_text)),
    "accessIPv4": Field("access_ip_v4"),
    "accessIPv6": Field("access_ip_v6"),
    "links": Field(_links),
    "OS-DCF:diskConfig": Field("disk_config"),
    "locked": Field(lambda row, _: bool(row.locked_by), since="2.9"),
    "description": Field("description", since="2.19"),
    "tags": Field(lambda row, who: who.tags.get(row.id, ()), since="2.26"),
    "trusted_image_certificates": Field(_json("trusted_image_certificates_json"), since="2.63"),
    "locked_reason": Field("locked_reason", since="2.73"),
    "scheduler_hints": Field(_json("scheduler_hints_json"), since="2.100"),
}
IN_GROUPS: Fields = {"server_groups": Field(lambda row, who: who.server_groups.get(row.id, ()), since="2.71")}
EXTENDED: Fields = {
    "addresses": Field(lambda row, _: _addresses(row, True)),
    "OS-EXT-AZ:availability_zone": Field(lambda row, _: row.availability_zone or row.pinned_zone or ""),
    "config_drive": Field(lambda row, _: "True" if row.config_drive else ""),
    "key_name": Field("key_name"),
    "OS-SRV-USG:launched_at": Field(lambda row, _: micro(row.launched_text)),
    "OS-SRV-USG:terminated_at": Field(lambda row, _: micro(row.terminated_text)),
    "OS-EXT-STS:task_state": Field("task_state"),
    "OS-EXT-STS:vm_state": Field("vm_state"),
    "OS-EXT-STS:power_state": Field("power_state"),
    "os-extended-volumes:volumes_attached": Field(lambda row, _: ()),
    "pinned_availability_zone": Field("pinned_zone", since="2.96"),
}
HOSTNAME: Fields = {"OS-EXT-SRV-ATTR:hostname": Field("hostname", since="2.90")}
FOR_OPERATORS: Fields = {
    "OS-EXT-SRV-ATTR:host": Field(_host),
    "OS-EXT-SRV-ATTR:hypervisor_hostname": Field(_host),
    "OS-EXT-SRV-ATTR:instance_name": Field(lambda row, _: f"instance-{row.id}"),
    "OS-EXT-SRV-ATTR:hostname": Field("hostname", since="2.3"),
    "OS-EXT-SRV-ATTR:kernel_id": Field(lambda row, _: "", since="2.3"),
    "OS-EXT-SRV-ATTR:ramdisk_id": Field(lambda row, _: "", since="2.3"),
    "OS-EXT-SRV-ATTR:launch_index": Field("launch_index", since="2.3"),
    "OS-EXT-SRV-ATTR:reservation_id": Field("reservation_id", since="2.3"),
    "OS-EXT-SRV-ATTR:root_device_name": Field("root_device_name", since="2.3"),
    "OS-EXT-SRV-ATTR:user_data": Field("user_data", since="2.3"),
}


class DetailShape(VersionedShape):
    """A server in ``GET /servers/detail``."""

    fields = {**CORE, **EXTENDED, **HOSTNAME}


class DetailShapeForOperators(VersionedShape):
    """The same for somebody who may know about hosts."""

    fields = {**CORE, **EXTENDED, **FOR_OPERATORS}


class ShowShape(VersionedShape):
    """A server in ``GET /servers/{id}``, and from 2.75 on in the answer to ``PUT``."""

    fields = {**DetailShape.fields, **IN_GROUPS}


class ShowShapeForOperators(VersionedShape):
    """The same for somebody who may know about hosts."""

    fields = {**DetailShapeForOperators.fields, **IN_GROUPS}


class UpdateShape(VersionedShape):
    """A server in the answer to ``PUT`` until 2.74: without what was once an extension."""

    fields = {**CORE, "addresses": Field(lambda row, _: _addresses(row, False)), **IN_GROUPS}


def _finished(shown: dict[str, Any], row: Any, who: Onlooker) -> dict[str, Any]:
    """Adds the fields that are there only when they say something."""
    if row.status in WITH_PROGRESS:
        shown["progress"] = 0
    if row.fault_code is not None and row.status in WITH_FAULT:
        shown["fault"] = fault(row, who)
    return shown


def detail(row: Any, who: Onlooker, *, in_groups: bool = False) -> dict[str, Any]:
    """A server in full; ``in_groups`` adds ``server_groups`` (not shown in lists)."""
    if in_groups:
        shape: type[VersionedShape] = ShowShapeForOperators if who.sees_hosts else ShowShape
    else:
        shape = DetailShapeForOperators if who.sees_hosts else DetailShape
    shown = _finished(shape.render(row, who.version, who), row, who)
    if groups := security_groups(row, who.group_names):
        shown["security_groups"] = groups
    if who.sees_host_status and who.version >= (2, 16):
        shown["host_status"] = server_hosts.facts(row.host_id).status
    return shown


def updated(row: Any, who: Onlooker) -> dict[str, Any]:
    """A server in the answer to ``PUT``."""
    if who.version >= (2, 75):
        return detail(row, who, in_groups=True)
    return _finished(UpdateShape.render(row, who.version, who), row, who)
