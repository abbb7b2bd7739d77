"""Where a server's operation goes next: the queue of a host, by name, so that nothing here imports ``tasks``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from operations import engine, sql
from operations.models import Operation
from operations.models.operation import CONTROL, host_queue
from scheduling.claims import Chosen


def to_host(
    operation: Operation, host: Chosen, epoch: int, along: Sequence[sql.Statement] = (), **columns: Any
) -> bool:
    """Give the operation to the host, under an owner epoch. False when somebody else moved or ended it."""
    return engine.move(
        operation, queue=host_queue(host.id), host_id=host.id, host_name=host.name, epoch=epoch, along=along, **columns
    )


def to_control(operation: Operation, **columns: Any) -> bool:
    """Back to the centre, to be placed again."""
    return engine.move(operation, queue=CONTROL, host_id=None, host_name="", **columns)
