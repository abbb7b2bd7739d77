"""The doorbell: telling a queue that an operation waits. Speed only; relay and pollers are the guarantee."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import Any

import structlog
from amqp.exceptions import AMQPError
from celery import current_app
from django.db import transaction
from kombu.exceptions import KombuError

from operations.models import Operation

log = structlog.get_logger(__name__)
QUIET_S = 1.0  # after a try that failed
LONGEST_QUIET_S = 30.0
SHARE = 10  # a try that hung for a second is followed by ten of quiet: nobody waits for a broker that does not answer
CONFIRM_S = 1.5  # RabbitMQ's word that it has the message; a full one gives none


class Breaker:
    """Open after a failure, for a while; then one thread tries, and only its success lets the others in again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failed = False
        self._quiet_until = 0.0

    def lets_try(self) -> bool:
        with self._lock:
            if not self._failed:
                return True
            now = time.monotonic()
            if now < self._quiet_until:
                return False
            self._quiet_until = now + 60.0  # until this try has ended, which says when the next one may be
            return True

    def succeeded(self) -> None:
        self._failed = False

    def failed(self, took_s: float) -> None:
        with self._lock:
            self._failed = True
            self._quiet_until = time.monotonic() + min(max(QUIET_S, SHARE * took_s), LONGEST_QUIET_S)


_breaker = Breaker()


def ring_on_commit(operation: Operation) -> None:
    """Ring when the surrounding transaction has committed."""
    transaction.on_commit(
        partial(ring, operation.bell, operation.task_name, operation.id, operation.attempt), robust=True
    )


def ring(queue: str, task: str, *args: Any, expires_s: float | None = None) -> bool:
    """Publish now. A broker that is dead, full or silent costs one short try, then none for a while.

    The pollers find the work anyway. A message that nobody hears within ``expires_s`` is dropped.
    """
    if not _breaker.lets_try():
        return False
    began = time.monotonic()
    try:
        current_app.send_task(
            task, args=args, queue=queue, ignore_result=True, confirm_timeout=CONFIRM_S, expires=expires_s,
            argsrepr=repr(args), kwargsrepr="{}",
        )  # fmt: skip
    except (KombuError, AMQPError, OSError) as problem:
        _breaker.failed(time.monotonic() - began)
        log.warning("bell did not ring", queue=queue, error=str(problem))
        return False
    _breaker.succeeded()
    return True
