"""Tasks of a compute host, one per verb, so that Flower reads like a logbook. The bell holds an id and an attempt."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import structlog
from celery import current_app, current_task, shared_task
from celery.signals import worker_init, worker_shutdown, worker_shutting_down

from instances.actions.registry import ACTIONS
from tasks.agent import questions, runtime
from tasks.agent.client import ConductorRefused, ConductorUnreachable

log = structlog.get_logger(__name__)


def _task(verb: str) -> Callable[[str, int], None]:
    @shared_task(name=f"server.{verb}")
    def run(operation_id: str, attempt: int) -> None:
        try:
            here = runtime.current()
            here.canary.hear(str((current_task.request.delivery_info or {}).get("routing_key")))
            here.runner.run(operation_id, attempt)
        except (ConductorUnreachable, ConductorRefused) as problem:
            log.warning("operation not taken", operation=operation_id, error=str(problem))

    run.__doc__ = ACTIONS[verb].__doc__
    return run


TASKS = {verb: _task(verb) for verb in ACTIONS}


@shared_task(name=runtime.CANARY_TASK)
def canary(queue: str) -> None:
    """The agent's own message came back: its queue is heard."""
    runtime.current().canary.hear(queue)


current_app.steps["consumer"].add(questions.Questions)


@worker_init.connect
def _start(**_signal: object) -> None:
    try:
        runtime.start()
    except Exception:
        log.exception("the agent cannot start")
        os._exit(4)  # the supervisor starts another


@worker_shutting_down.connect
def _leave(**_signal: object) -> None:
    """SIGTERM: in a thread of its own, for a signal's handler may wait for nothing."""
    threading.Thread(target=runtime.leave, name="leave", daemon=True).start()


@worker_shutdown.connect
def _stop(**_signal: object) -> None:
    runtime.stop()
