"""Asking for a verb as the API does, without HTTP: the verb's own ``request``, whatever verb it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from computecloud.core.actor import Actor, expand_roles
from instances.actions.create import Create, CreateRequest, FlavorSnapshot
from instances.actions.registry import ACTIONS
from instances.models import Instance
from operations.models import Operation

MEMBER = Actor(user_id="m" * 32, user_name="matrix", project_id="a" * 32, roles=expand_roles({"member"}))
FLAVOR = FlavorSnapshot("1", "matrix", vcpus=1, ram_mb=64, disk_gb=1)


def submit(verb: str, server_id: str, host_name: str, arguments: Mapping[str, Any]) -> str:
    """The operation's id. A new server goes to the host of that name."""
    if verb == Create.verb:
        wanted = CreateRequest(name="matrix", flavor=FLAVOR, image=None, forced_host=host_name, **arguments)
        [server] = Create.submit(MEMBER, wanted)
        return str(server.open_operation)
    server = Instance.objects.select_related("host").get(id=server_id)
    operation: Operation = ACTIONS[verb].request(MEMBER, server, "", **arguments)
    return operation.id
