"""Reading servers for answers: plain columns, no model instances, and what belongs to them in a query each.

JSON and times come as the database writes them: an answer shows them nearly as they are, so nothing is parsed.
"""

from __future__ import annotations

import time
from collections import defaultdict, namedtuple
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from django.db import connection
from django.db.models import F, QuerySet, TextField
from django.db.models.functions import Cast

from computecloud.core.actor import Actor
from computecloud.http.services import Version
from instances.api import server_shapes
from instances.api.server_shapes import Onlooker, nics_of
from instances.errors import InstanceNotFound
from instances.models import Instance, InstanceTag, ServerGroup
from integrations.networks import facade as networks

JSON = (
    "metadata", "extra_specs", "image_properties", "network_info", "scheduler_hints", "trusted_image_certificates",
)  # fmt: skip
PLAIN = (
    "id", "name", "status", "project_id", "user_id", "image_id", "flavor_id", "flavor_name", "vcpus", "ram_mb",
    "disk_gb", "ephemeral_gb", "swap_mb", "access_ip_v4", "access_ip_v6", "disk_config", "locked_by", "locked_reason",
    "description", "availability_zone", "pinned_zone", "config_drive", "key_name", "task_state", "vm_state",
    "power_state", "hostname", "host_id", "fault_code", "fault_message", "fault_details", "server_group_id",
)  # fmt: skip
TIMES = ("created", "updated", "launched", "terminated", "fault")
FOR_OPERATORS = ("launch_index", "reservation_id", "root_device_name", "user_data")
GROUPS_FRESH_S = 5.0
_SERVER, _PROJECT = "the server", "the project"
_AS_TEXT = {f"{name}_json": Cast(F(name), TextField()) for name in JSON} | {
    f"{name}_text": Cast(F(f"{name}_at"), TextField()) for name in TIMES
}
_group_names: dict[str, str] = {}
_groups_read_at = float("-inf")


def brief(rows: QuerySet[Instance]) -> list[Any]:
    """``id`` and ``name`` of each."""
    return list(rows.values_list("id", "name", named=True))


def full(rows: QuerySet[Instance], *, for_operators: bool) -> list[Any]:
    """Everything an answer may show; JSON as text under ``…_json``, times under ``…_text``."""
    columns = (*PLAIN, *FOR_OPERATORS) if for_operators else PLAIN
    return list(rows.annotate(**_AS_TEXT).values_list(*columns, *_AS_TEXT, named=True))


def named_groups(rows: Iterable[Any]) -> dict[str, str]:
    """Names of the security groups these servers are in; asked at most every few seconds."""
    global _groups_read_at
    if time.monotonic() - _groups_read_at > GROUPS_FRESH_S:
        _group_names.clear()
        _groups_read_at = time.monotonic()
    ids = {group for row in rows for group in nics_of(row.network_info_json).group_ids}
    if missing := ids.difference(_group_names):
        _group_names.update(networks.group_names(missing))
    return _group_names


def forget_groups() -> None:
    """Read the groups' names anew at the next question."""
    _group_names.clear()


def tags_of(ids: Sequence[str]) -> dict[str, list[str]]:
    """Tags by server, in alphabetical order."""
    found: dict[str, list[str]] = defaultdict(list)
    rows = InstanceTag.objects.annotate(server=F("instance_id")).filter(server__in=ids)  # cheaper than the relation
    for server_id, tag in rows.values_list("server", "tag"):
        found[server_id].append(tag)
    return found


def _living_groups(rows: Sequence[Any]) -> dict[str, list[str]]:
    wanted = {row.server_group_id for row in rows if row.server_group_id}
    if not wanted:
        return {}
    alive = set(ServerGroup.objects.filter(id__in=wanted).values_list("id", flat=True))
    return {row.id: [row.server_group_id] for row in rows if row.server_group_id in alive}


def audience(actor: Actor, version: Version, rows: Sequence[Any], *, in_groups: bool = False) -> Onlooker:
    """Who looks, with what belongs to these rows at this version."""
    return server_shapes.onlooker(
        actor,
        version,
        tags=tags_of([row.id for row in rows]) if rows and version >= (2, 26) else {},
        group_names=named_groups(rows),
        server_groups=_living_groups(rows) if in_groups and version >= (2, 71) else {},
    )


@lru_cache(maxsize=8)
def _statement(is_admin: bool, for_operators: bool) -> tuple[str, tuple[Any, ...], Any]:
    """SQL of one server for a kind of actor, its parameters with marks to fill in, and the row's type.

    Compiling fifty columns anew costs three times what the database needs to find them.
    """
    stranger = Actor(user_id="", project_id=_PROJECT, roles=frozenset({"admin"} if is_admin else ()))
    columns = (*PLAIN, *FOR_OPERATORS) if for_operators else PLAIN
    rows = Instance.objects.for_actor(stranger).alive().filter(id=_SERVER).order_by()
    sql, params = rows.annotate(**_AS_TEXT).values_list(*columns, *_AS_TEXT).query.sql_with_params()
    row: Any = namedtuple("Row", (*columns, *_AS_TEXT))  # type: ignore[misc]  # its fields are known at run time
    return sql, params, row._make


def one(actor: Actor, server_id: str) -> Any:
    """A living server that the actor may see, with every column. Raises InstanceNotFound."""
    sql, params, make = _statement(actor.is_admin, server_shapes.sees_hosts(actor))
    values = {_SERVER: server_id, _PROJECT: actor.project_id or "-"}
    with connection.cursor() as cursor:
        cursor.execute(sql, [values[mark] for mark in params])
        found = cursor.fetchone()
    if found is None:
        raise InstanceNotFound(instance_id=server_id)
    return make(found)


def shown(actor: Actor, version: Version, server_id: str) -> dict[str, Any]:
    """A server as ``GET /servers/{id}`` shows it. Raises InstanceNotFound."""
    row = one(actor, server_id)
    return server_shapes.detail(row, audience(actor, version, [row], in_groups=True), in_groups=True)


def shown_after_update(actor: Actor, version: Version, server_id: str) -> dict[str, Any]:
    """A server as ``PUT /servers/{id}`` answers it. Raises InstanceNotFound."""
    row = one(actor, server_id)
    return server_shapes.updated(row, audience(actor, version, [row], in_groups=True))
