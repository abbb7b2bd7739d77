"""Asking for a verb as the API does, without HTTP: the verb's own ``request``, whatever verb it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from computecloud.core.actor import Actor, expand_roles
from instances.actions.create import Create, CreateRequest, FlavorSnapshot
from instances.actions.diagnostics import Diagnostics
from instances.actions.interfaces import DetachInterface
from instances.actions.registry import ACTIONS
from instances.actions.reset_state import ResetState
from instances.actions.resize import Migrate, Resize
from instances.actions.shelve import ShelveOffload
from instances.models import Instance
from integrations.images import facade as images
from integrations.networks.facade import PortPlan
from integrations.networks.models import Network
from operations.models import Operation

NAME = "matrix"
MEMBER = Actor(user_id="m" * 32, user_name="matrix", project_id="a" * 32, roles=expand_roles({"member"}))
ADMIN = Actor(
    user_id="m" * 32, user_name="admin", project_id=MEMBER.project_id, roles=expand_roles({"admin"})
)
ADMINS_OWN = frozenset({ShelveOffload.rule, Migrate.rule, Diagnostics.rule, ResetState.rule})
FLAVOR = FlavorSnapshot("1", NAME, vcpus=1, ram_mb=64, disk_gb=1)


def parts() -> dict[str, Any]:
    """What there is to make a server of: the image and the network of our name, and then a config drive too."""
    image = next(iter(images.query(MEMBER, name=NAME)), None)
    network = Network.objects.filter(project_id=MEMBER.project_id, name=NAME).first()
    plans = (PortPlan(network.id),) if network else ()
    return {"image": image, "networks": plans, "config_drive": image is not None}


def submit(verb: str, server_id: str, host_name: str, arguments: Mapping[str, Any]) -> str:
    """The operation's id. A server that has no host goes to the one of that name."""
    if verb == Create.verb:
        wanted = CreateRequest(name=NAME, flavor=FLAVOR, forced_host=host_name, **parts(), **arguments)
        [server] = Create.submit(MEMBER, wanted)
        return str(server.open_operation)
    server = Instance.objects.select_related("host").get(id=server_id)
    if verb == DetachInterface.verb:
        arguments = {"port_id": server.network_info[-1]["port_id"]}
    actor = ADMIN if ACTIONS[verb].rule in ADMINS_OWN else MEMBER
    goes = server.host_id is None or issubclass(ACTIONS[verb], Resize)  # to the cell's own host: it is alone there
    place = {"forced_host": host_name} if goes and verb != "delete" else {}
    operation: Operation = ACTIONS[verb].request(actor, server, "", **arguments, **place)
    return operation.id
