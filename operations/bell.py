"""The doorbell: telling a queue that an operation waits. Speed only; relay and pollers are the guarantee."""

from __future__ import annotations

import time
from functools import partial

import structlog
from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

from operations.models import Operation

log = structlog.get_logger(__name__)
_QUIET_S = 1.0
_quiet_until = 0.0


def ring_on_commit(operation: Operation) -> None:
    """Ring when the surrounding transaction has committed."""
    transaction.on_commit(
        partial(ring, operation.bell, operation.task_name, operation.id, operation.attempt), robust=True
    )


def ring(queue: str, task: str, operation_id: str, attempt: int) -> bool:
    """Publish now. A dead broker costs one short try, then none for a second; the poller finds the work anyway."""
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return False
    try:
        current_app.send_task(task, args=(operation_id, attempt), queue=queue, ignore_result=True)
    except (OperationalError, OSError) as problem:
        _quiet_until = time.monotonic() + _QUIET_S
        log.warning("bell did not ring", queue=queue, error=str(problem))
        return False
    return True
