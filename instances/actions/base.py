"""What every verb shares: asking (policy, lock, state, operation), performing on a host, and finishing.

A verb is one module with one ``Action``. ``request`` runs in the API, ``perform`` on the host (no ORM), ``finish`` in
the conductor. The API, the admin and the workers use the same object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.db.models.functions import Now

from computecloud.core.actor import Actor
from computecloud.core.errors import Conflict
from computecloud.core.ids import new_uuid
from computecloud.http import policy
from hosts.drivers.base import Driver
from hosts.drivers.specs import GuestRef, GuestSpec, PowerState, Step
from instances.errors import InstanceInvalidState, InstanceIsLocked, InstanceNotFound
from instances.models import Instance
from instances.spec import guest_spec
from instances.states import ENDS, VmState
from operations import engine, sealed, sql
from operations.committing import Committing
from operations.models import Operation
from operations.models.operation import CONTROL, State, host_queue
from scheduling import claims, groups

ACCEPTING = Committing("api")


@dataclass(frozen=True, slots=True)
class Order:
    """What a host is told: an operation's facts and, where the verb needs it, the guest's whole spec."""

    operation_id: str
    verb: str
    attempt: int
    subject_id: str
    host_id: str
    epoch: int
    args: dict[str, Any] = field(default_factory=dict)
    spec: GuestSpec | None = None
    last_attempt: bool = False

    @property
    def ref(self) -> GuestRef:
        return GuestRef(id=self.subject_id, epoch=self.epoch, operation_id=self.operation_id)

    def need_spec(self) -> GuestSpec:
        if self.spec is None:
            raise ValueError(f"{self.verb} came without a spec")
        return self.spec


@dataclass(frozen=True, slots=True)
class Report:
    """What a host answers. ``outcome``: done, failed (fatal, undone), retry (transient), or stopped (superseded)."""

    outcome: str
    power: int | None = None
    code: int = 500
    fault: str = ""
    details: str = ""
    result: dict[str, Any] | None = None


class Action:
    """One verb of a server. Subclasses set the class attributes and ``perform``."""

    verb: ClassVar[str]
    shown_as: ClassVar[str] = ""  # in the server's history, when not as the verb
    rule: ClassVar[str]
    allowed_from: ClassVar[frozenset[VmState]] = frozenset()
    with_spec: ClassVar[bool] = True  # the host gets the guest's whole spec
    turns_power: ClassVar[bool | None] = None  # the intent it sets
    ends_in: ClassVar[VmState | None] = None
    ignores_lock: ClassVar[bool] = False
    needs_host: ClassVar[bool] = True
    reshapes: ClassVar[bool] = False  # given up halfway, the guest is neither what it was nor what it should be
    phases: ClassVar[tuple[str, ...]] = ()  # of a verb that walks from host to host: ``args["phase"]``
    tried_from: ClassVar[tuple[VmState, ...]] = ()  # states from which it does different things: tests try each
    listed: ClassVar[bool] = True
    deadline_s: ClassVar[float | None] = None  # of what a request waits for; None: the setting
    # The form of its arguments and steps. Who changes them so that hosts of the last release could not do them, or adds
    # a verb after it, gives it the next number above all others: such hosts leave the operation for one that reads it.
    schema_version: ClassVar[int] = 1
    examples: ClassVar[tuple[dict[str, Any], ...]] = ({},)  # with which tests try it: of the request, of the order
    known: ClassVar[dict[str, type[Action]]] = {}  # every verb's class by its name

    def __init_subclass__(cls, **words: Any) -> None:
        super().__init_subclass__(**words)
        if "verb" in cls.__dict__:
            Action.known[cls.verb] = cls

    # --- in the API

    @classmethod
    def request(cls, actor: Actor, instance: Instance, request_id: str = "", **args: Any) -> Operation:
        """Accept the verb: one guarded UPDATE of the server, one operation, one bell. Raises Conflict, Forbidden."""
        policy.authorize(actor, cls.rule, instance.project_id)
        with ACCEPTING(instance.host_id):
            return cls.accept(actor, instance, request_id, args)

    @classmethod
    def accept(cls, actor: Actor, instance: Instance, request_id: str, args: dict[str, Any]) -> Operation:
        """``admin_password`` among the arguments is sealed, and not kept with them."""
        if cls.needs_host and instance.host_id is None:
            raise cls.refusal(actor, instance.id)
        password = args.pop("admin_password", None)
        host_id, host_name = cls.place(instance)
        operation_id = new_uuid()
        operation = Operation(id=operation_id, verb=cls.verb, args=args, queue=cls.queue(instance))
        changes: dict[str, Any] = {"open_operation": operation_id, **cls.intent(instance, args)}
        if cls.turns_power is not None:
            changes["power_on"] = cls.turns_power
        guards: dict[str, Any] = {"id": instance.id, "deleted_at": None, "open_operation": None}
        if not cls.ignores_lock and not actor.is_admin:
            guards["locked_by"] = ""
        if cls.allowed_from:
            guards["vm_state"] = tuple(sorted(state.value for state in cls.allowed_from))
        if not sql.change(Instance, guards, instance.cache_for(operation, **changes)):
            raise cls.refusal(actor, instance.id)
        return cls.open(
            actor,
            instance,
            request_id,
            queue=operation.queue,
            id=operation_id,
            args=args,
            host_id=host_id,
            host_name=host_name,
            epoch=instance.owner_epoch,
            sealed=sealed.seal({"admin_password": password}) if password else None,
        )

    @classmethod
    def open(cls, actor: Actor, instance: Instance, request_id: str, **columns: Any) -> Operation:
        """An operation of this verb on the server. ``columns``, and what else ``engine.accept`` takes."""
        return engine.accept(
            actor=actor,
            request_id=request_id,
            subject_kind="server",
            subject_id=instance.id,
            project_id=instance.project_id,
            verb=cls.verb,
            listed=cls.listed,
            deadline_s=cls.deadline_s,
            schema_version=cls.schema_version,
            **columns,
        )

    @classmethod
    def intent(cls, instance: Instance, args: dict[str, Any]) -> dict[str, Any]:
        """Further columns to write when it is accepted. May take from ``args`` what is not to be kept with them."""
        return {}

    @classmethod
    def place(cls, instance: Instance) -> tuple[str | None, str]:
        """Id and name of the host that does it."""
        return instance.host_id, instance.host.name if instance.host else ""

    @classmethod
    def queue(cls, instance: Instance) -> str:
        return host_queue(instance.host_id) if instance.host_id else CONTROL

    @classmethod
    def refusal(cls, actor: Actor, instance_id: str) -> Exception:
        """Why the guarded update touched no row, in Nova's words."""
        instance = Instance.objects.alive().filter(id=instance_id).first()
        if instance is None:
            return InstanceNotFound(instance_id=instance_id)
        if instance.is_locked and not cls.ignores_lock and not actor.is_admin:
            return InstanceIsLocked(instance_id=instance_id)
        if cls.allowed_from and VmState(instance.vm_state) not in cls.allowed_from:
            return InstanceInvalidState(
                verb=cls.verb, instance_id=instance_id, attribute="vm_state", state=instance.vm_state
            )
        if cls.needs_host and instance.host_id is None and instance.open_operation is None:
            return Conflict(f"Instance {instance_id} is not ready")
        return InstanceInvalidState(
            verb=cls.verb, instance_id=instance_id, attribute="task_state", state=cls._doing(instance)
        )

    @staticmethod
    def _doing(instance: Instance) -> str | None:
        """Its task state, or the verb of one that Nova has no task state for."""
        if instance.task_state or not instance.open_operation:
            return instance.task_state
        return Operation.objects.filter(id=instance.open_operation).values_list("verb", flat=True).first()

    # --- in the conductor, when a host takes it

    @classmethod
    def spec(cls, instance: Instance, operation: Operation) -> GuestSpec:
        """What the host is given of the guest."""
        return guest_spec(instance, operation)

    # --- on the host

    def perform(self, driver: Driver, order: Order) -> Sequence[Step]:
        """The ensure-steps of this verb."""
        raise NotImplementedError

    def answer(self, driver: Driver, order: Order) -> dict[str, Any] | None:
        """What the host reports beside the outcome: the result of a question, nothing for most verbs."""
        return None

    # --- in the conductor

    @classmethod
    def finish(cls, operation: Operation, instance: Instance, report: Report) -> None:
        """Close the operation and settle the server, in one transaction (the caller's)."""
        if report.outcome == "done":
            cls.succeed(operation, instance, report)
        else:
            cls.fail(operation, instance, report)

    @classmethod
    def succeed(cls, operation: Operation, instance: Instance, report: Report) -> None:
        if not engine.close(operation, State.SUCCEEDED, result=report.result):
            return
        changes: dict[str, Any] = {"open_operation": None, **cls.observed(report)}
        ends = cls.ends_in or ENDS.get(cls.verb)
        if ends is not None:
            changes["settled"] = ends.value
        cls.settle(operation, instance, **(changes | cls.on_success(operation, instance)))

    @classmethod
    def on_success(cls, operation: Operation, instance: Instance) -> dict[str, Any]:
        """Columns to set when it succeeded; they come before those of every verb."""
        return {}

    @classmethod
    def fail(cls, operation: Operation, instance: Instance, report: Report) -> None:
        """By default the server stays where it was settled, with a fault that says why.

        Without word from the host (its worker died of it, or it is out of time) nothing was undone: a verb that
        reshapes the guest leaves ERROR, from where it may be rebuilt or rebooted.
        """
        if cls.close_failed(operation, report):
            unsure = {"settled": VmState.ERROR.value} if cls.reshapes and report.power is None else {}
            changes = cls.observed(report) | cls.fault(report) | unsure | cls.on_failure(operation, instance)
            cls.settle(operation, instance, **({"open_operation": None} | changes))

    @staticmethod
    def close_failed(operation: Operation, report: Report) -> bool:
        """End the operation with the report's fault; False when it is no longer ours."""
        return engine.close(
            operation, State.FAILED, fault_code=report.code, fault=report.fault, details=report.details
        )

    @classmethod
    def on_failure(cls, operation: Operation, instance: Instance) -> dict[str, Any]:
        """Columns to set when it failed; they come before those of every verb."""
        return {}

    @classmethod
    def superseded(cls, operation: Operation) -> None:
        """A delete came over it, in this transaction: let go of what it had begun outside of the server."""

    @staticmethod
    def let_go(instance: Instance) -> None:
        """Give back what the server holds of its host, and its place in its group. Idempotent."""
        claims.release(instance.id)
        if instance.server_group_id:
            groups.leave(instance.id, instance.server_group_id)

    @staticmethod
    def observed(report: Report) -> dict[str, Any]:
        if report.power is None:
            return {}
        return {"observed_power": PowerState(report.power).value, "observed_at": Now()}

    @staticmethod
    def fault(report: Report) -> dict[str, Any]:
        return {
            "fault_code": report.code,
            "fault_message": report.fault[:255],
            "fault_details": report.details[:4000],
            "fault_at": Now(),
        }

    @staticmethod
    def settle(operation: Operation, instance: Instance, **changes: Any) -> bool:
        """Write the server's columns, guarded by its open operation: a newer one (delete) keeps what it wrote."""
        guards = {"id": instance.id, "open_operation": operation.id}
        return bool(sql.change(Instance, guards, instance.cache(None, **changes)))
