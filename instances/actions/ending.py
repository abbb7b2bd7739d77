"""What the verbs share that end a server: they win over whatever is open, under an owner epoch of their own."""

from __future__ import annotations

from typing import Any, ClassVar

from computecloud.core.actor import Actor
from computecloud.core.errors import Conflict
from computecloud.core.ids import new_uuid
from hosts.models.host import presence
from instances.actions.base import Action
from instances.errors import InstanceIsLocked, InstanceNotFound
from instances.models import Instance
from operations import engine, sql
from operations.models import Operation
from operations.models.operation import CONTROL, host_queue

TRIES = 3


class Ending(Action):
    """``wins_not_over``: verbs under way that do what this one would; asked again, it is the first one."""

    with_spec = False
    wins_not_over: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def accept(cls, actor: Actor, instance: Instance, request_id: str, args: dict[str, Any]) -> Operation:
        for number in range(TRIES):
            # What was just read will do, as the guarded update decides; placement may have moved it meanwhile.
            fresh = sql.find(Instance, instance.id) if number else instance
            if fresh is None or fresh.deleted_at is not None:
                raise InstanceNotFound(instance_id=instance.id)
            if fresh.is_locked and not actor.is_admin:
                raise InstanceIsLocked(instance_id=instance.id)
            under_way = cls._open_one(fresh)
            if under_way is not None and under_way.verb in cls.wins_not_over:
                return under_way
            cls.check(fresh, under_way)
            operation_id = new_uuid()
            if cls._mark(fresh, operation_id, args):
                if under_way is not None:
                    cls._stop(under_way)
                return cls._begin(actor, fresh, request_id, operation_id, args)
        raise Conflict(f"Instance {instance.id} is changing; try again.")

    @classmethod
    def check(cls, fresh: Instance, under_way: Operation | None) -> None:
        """Raises Conflict for what it does not win over."""

    @classmethod
    def wish(cls, fresh: Instance, args: dict[str, Any]) -> dict[str, Any]:
        """What is kept with the operation."""
        return {}

    @classmethod
    def needs_word(cls, args: dict[str, Any]) -> bool:
        """Whether the server's host has anything to do or to say."""
        return True

    @classmethod
    def _open_one(cls, fresh: Instance) -> Operation | None:
        found = sql.find(Operation, fresh.open_operation) if fresh.open_operation else None
        return found if found is not None and found.is_open else None

    @classmethod
    def _stop(cls, under_way: Operation) -> None:
        """What is open stops at its next step."""
        engine.supersede("server", under_way.subject_id)
        cls.known[under_way.verb].superseded(under_way)

    @classmethod
    def _mark(cls, fresh: Instance, operation_id: str, args: dict[str, Any]) -> bool:
        """The guarded UPDATE: nothing that was read has changed. Only then is what was open told to stop.

        It acts under an owner epoch of its own: an order of what it stops that is still on its way comes too late.
        """
        unchanged = {
            "id": fresh.id,
            "deleted_at": None,
            "open_operation": fresh.open_operation,
            "host_id": fresh.host_id,
            "owner_epoch": fresh.owner_epoch,
            "locked_by": fresh.locked_by,
            "settled": fresh.settled,
        }
        operation = Operation(id=operation_id, verb=cls.verb)
        taken = {"open_operation": operation_id, "owner_epoch": fresh.owner_epoch + 1}
        marked = fresh.cache_for(operation, **taken, **cls.intent(fresh, args))
        return bool(sql.change(Instance, unchanged, marked))

    @classmethod
    def _begin(
        cls, actor: Actor, fresh: Instance, request_id: str, operation_id: str, args: dict[str, Any]
    ) -> Operation:
        host = presence(fresh.host_id) if fresh.host_id and cls.needs_word(args) else None
        accepted = cls.open(
            actor,
            fresh,
            request_id,
            queue=host_queue(host.id) if host else CONTROL,
            id=operation_id,
            args=cls.wish(fresh, args),
            host_id=host.id if host else None,
            host_name=host.name if host else "",
            epoch=fresh.owner_epoch + 1,
            ring=host is not None,
        )
        if host is None or not host.is_up:
            cls.unheard(accepted, fresh, has_host=host is not None)
        return accepted

    @classmethod
    def unheard(cls, operation: Operation, instance: Instance, *, has_host: bool) -> None:
        """No host hears of it now, in the transaction that accepts it; one that is down will when it returns."""
