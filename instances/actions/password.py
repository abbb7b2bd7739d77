"""Change password: the administrator's of a running guest, through the agent in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from computecloud.core.actor import Actor
from computecloud.core.errors import Conflict
from hosts.drivers import errors as drivers
from hosts.drivers.base import Driver, PasswordSetting
from hosts.drivers.specs import GuestSpec, PasswordSpec, Step
from instances import keys
from instances.actions.base import Action, Order
from instances.models import Instance
from instances.spec import guest_spec
from instances.states import VmState
from operations import sealed, waiting
from operations.models import Operation

PATIENCE_S = 30.0  # longer than an agent is given to answer


class ChangePassword(Action):
    """The password travels sealed, and is forgotten when the operation ends.

    A server with an RSA key keeps it encrypted by that key, for its owner to read (``os-server-password``).
    """

    verb = "changePassword"
    rule = "os_compute_api:os-admin-password"
    allowed_from = frozenset({VmState.ACTIVE})
    examples = ({"admin_password": "an example"},)
    deadline_s = PATIENCE_S
    schema_version = 7

    @classmethod
    def change(cls, actor: Actor, server: Instance, password: str, request_id: str = "") -> None:
        """Done when it returns. Raises Conflict, in Nova's words, when the guest would not; Unavailable when its host
        did not say in time."""
        operation = cls.request(actor, server, request_id, admin_password=password)
        said = waiting.outcome(operation.id, patience_s=PATIENCE_S)
        said.require(Conflict(said.fault or f"Failed to set admin password on {server.id}"))

    @classmethod
    def spec(cls, instance: Instance, operation: Operation) -> GuestSpec:
        """The config drive holds the first password, and is not made again for the new one."""
        password = PasswordSpec(administrator(instance), sealed.unseal(operation.sealed).get("admin_password", ""))
        return replace(guest_spec(instance, operation), config_drive=None, password=password)

    def perform(self, driver: Driver, order: Order) -> Sequence[Step]:
        if not isinstance(driver, PasswordSetting):
            raise drivers.Unsupported("Unable to set password on instance")
        return driver.set_password(order.need_spec())

    @classmethod
    def on_success(cls, operation: Operation, instance: Instance) -> dict[str, Any]:
        password = str(sealed.unseal(operation.sealed).get("admin_password", ""))
        return {"encrypted_password": keys.encrypt(instance.public_key, password)}


def administrator(instance: Instance) -> str:
    """Who it is in the guest: as the image says, or as its system calls him."""
    named: str | None = instance.image_properties.get("os_admin_user")
    return named or ("Administrator" if instance.image_properties.get("os_type") == "windows" else "root")
