"""Schemas of quota sets and quota class sets, and which resources each version knows."""

from __future__ import annotations

from collections.abc import Callable

from computecloud.http.microversions import VersionedSchema
from computecloud.http.services import Version
from instances.api.schemas.types import BOOLEAN, STRING, Schema, whole, wrapped
from instances.quotas import RESOURCES

NETWORK = ("fixed_ips", "floating_ips", "security_groups", "security_group_rules")
FILES = ("injected_files", "injected_file_content_bytes", "injected_file_path_bytes")
GROUPS = ("server_groups", "server_group_members")


def hidden_in_sets(version: Version) -> tuple[str, ...]:
    """Resources that a quota set does not show: of the network from 2.36, of file injection from 2.57."""
    if version >= (2, 57):
        return NETWORK + FILES
    return NETWORK if version >= (2, 36) else ()


def hidden_in_classes(version: Version) -> tuple[str, ...]:
    """The same for a quota class, where the network goes at 2.50 and server groups come at 2.50."""
    if version >= (2, 57):
        return NETWORK + FILES
    return NETWORK if version >= (2, 50) else GROUPS


def _without(wrapper: str, resources: tuple[str, ...]) -> Callable[[Schema], None]:
    def change(schema: Schema) -> None:
        for resource in resources:
            del schema["properties"][wrapper]["properties"][resource]

    return change


_limits: Schema = {resource: whole(-1) for resource in RESOURCES}

UPDATE = (
    VersionedSchema(wrapped("quota_set", {**_limits, "force": BOOLEAN}))
    .amend("2.36", _without("quota_set", NETWORK))
    .amend("2.57", _without("quota_set", FILES))
)
UPDATE_CLASS = (
    VersionedSchema(wrapped("quota_class_set", _limits))
    .amend("2.50", _without("quota_class_set", NETWORK))
    .amend("2.57", _without("quota_class_set", FILES))
)
USER_QUERY: dict[str, Schema] = {"user_id": STRING}
