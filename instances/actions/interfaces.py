"""Attach and detach an interface: a port and its nic, while the guest runs or is off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import msgspec

from computecloud.core.actor import Actor
from computecloud.core.errors import Conflict, Invalid, NotFound
from hosts.drivers import errors as drivers
from hosts.drivers.base import Driver, Plugging
from hosts.drivers.specs import Step
from instances.actions.base import Action, Order, Report
from instances.errors import InterfaceAttachFailed
from instances.models import Instance
from instances.states import VmState
from integrations.networks import facade as networks
from integrations.networks.facade import NetworkWish, PortInfo, PortPlan
from operations import waiting
from operations.models import Operation

PATIENCE_S = 60.0
GROUPS = ("default",)
POSSIBLE = frozenset({VmState.ACTIVE, VmState.PAUSED, VmState.STOPPED})


class AttachInterface(Action):
    """``wish``: a network, maybe with an address, or a port; nothing is the one network that the project has.

    The port is the server's from the moment it is asked for, so that nobody else takes it, and is let go of when the
    host says that it has nothing of it. Without word from the host it stays: it may be there, and may be detached.
    """

    verb = "attach_interface"
    rule = "os_compute_api:os-attach-interfaces:create"
    allowed_from = POSSIBLE
    examples = ({"port_id": "example"},)
    deadline_s = PATIENCE_S
    schema_version = 8

    @classmethod
    def attach(cls, actor: Actor, server: Instance, wish: NetworkWish | None, request_id: str = "") -> PortInfo:
        """The port, when the guest has it. Raises what ``request`` does, InterfaceAttachFailed, Unavailable."""
        operation = cls.request(actor, server, request_id, wish=wish)
        said = waiting.outcome(operation.id, patience_s=PATIENCE_S)
        said.require(InterfaceAttachFailed(instance_id=server.id))
        return next(nic for nic in networks.nics(server.id) if nic.port_id == operation.args["port_id"])

    @classmethod
    def accept(cls, actor: Actor, instance: Instance, request_id: str, args: dict[str, Any]) -> Operation:
        """Raises the Network service's refusals besides, with the status that they have here."""
        if instance.host is None or VmState(instance.vm_state) not in cls.allowed_from:
            raise cls.refusal(actor, instance.id)
        server = networks.ServerRef(
            instance.id, instance.project_id, instance.hostname, instance.availability_zone
        )
        with _refusals():
            plan = _plan(replace(actor, project_id=instance.project_id), args.pop("wish", None))
            nics = networks.allocate(server, [plan], GROUPS, instance.host.id, instance.host.name)
        wish = {"port_id": nics[-1].port_id, "before": instance.network_wishes}
        return super().accept(actor, instance, request_id, {**wish, "plan": plan, "nics": nics})

    @classmethod
    def intent(cls, instance: Instance, args: dict[str, Any]) -> dict[str, Any]:
        plan = msgspec.to_builtins(args.pop("plan"))
        nics = msgspec.to_builtins(args.pop("nics"))
        return {"network_info": nics, "network_wishes": [*instance.network_wishes, plan]}

    def perform(self, driver: Driver, order: Order) -> Sequence[Step]:
        return _plugging(driver).attach_port(order.need_spec(), str(order.args["port_id"]))

    @classmethod
    def on_success(cls, operation: Operation, instance: Instance) -> dict[str, Any]:
        if instance.power_on:
            networks.plugged(instance.id)
        return {}

    @classmethod
    def fail(cls, operation: Operation, instance: Instance, report: Report) -> None:
        super().fail(operation, instance, report)
        is_unsure = report.power is None and operation.attempt > 0  # what no host has taken, none has done
        if operation.is_open or is_unsure:
            return
        networks.release_port(instance.id, operation.args["port_id"])
        Instance.objects.filter(id=instance.id, deleted_at=None).update(
            network_info=msgspec.to_builtins(networks.nics(instance.id)), network_wishes=operation.args["before"]
        )


class DetachInterface(Action):
    """The port is let go of when its host has nothing of it any more, and ends if it was made for the server."""

    verb = "detach_interface"
    rule = "os_compute_api:os-attach-interfaces:delete"
    allowed_from = POSSIBLE
    examples = ({"port_id": "example"},)
    schema_version = 8

    @classmethod
    def accept(cls, actor: Actor, instance: Instance, request_id: str, args: dict[str, Any]) -> Operation:
        """Raises NotFound for a port that is not the server's."""
        port_id = args["port_id"]
        if not any(nic.port_id == port_id for nic in networks.nics(instance.id)):
            raise NotFound(f"Port {port_id[:64]} is not attached")
        return super().accept(actor, instance, request_id, args)

    def perform(self, driver: Driver, order: Order) -> Sequence[Step]:
        return _plugging(driver).detach_port(order.need_spec(), str(order.args["port_id"]))

    @classmethod
    def on_success(cls, operation: Operation, instance: Instance) -> dict[str, Any]:
        """Without any port it is a server that never had a network: it gets none when it is placed anew."""
        networks.release_port(instance.id, operation.args["port_id"])
        nics = msgspec.to_builtins(networks.nics(instance.id))
        return {"network_info": nics, "network_wishes": instance.network_wishes if nics else []}


def _plugging(driver: Driver) -> Plugging:
    if not isinstance(driver, Plugging):
        raise drivers.Unsupported("this driver cannot attach an interface")
    return driver


def _plan(actor: Actor, wish: NetworkWish | None) -> PortPlan:
    """Raises Invalid when nothing was named and there is none, or are several, to choose."""
    if wish is not None and (wish.network_id or wish.port_id):
        return networks.resolve(actor, [wish])[0]
    found = networks.resolve(actor, "auto")
    if not found:
        raise Invalid(
            f"No specific network was requested and none are available for project '{actor.project_id}'."
        )
    return PortPlan(found[0].network_id, tag=wish.tag if wish else None)


@contextmanager
def _refusals() -> Iterator[None]:
    """What is wrong with a new server's body is another thing here: not there, or taken."""
    try:
        yield
    except (networks.RequestedNetworkNotFound, networks.RequestedPortNotFound) as problem:
        raise NotFound(str(problem)) from None
    except networks.NetworkAmbiguous as problem:
        raise Invalid(str(problem)) from None
    except networks.FixedIpAlreadyInUse as problem:
        raise Conflict(str(problem)) from None
