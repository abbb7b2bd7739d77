"""Tasks of a compute host, one per verb, so that Flower reads like a logbook. The bell holds an id and an attempt."""

from __future__ import annotations

import os
from collections.abc import Callable

import structlog
from celery import current_app, shared_task
from celery.signals import worker_init, worker_shutdown

from instances.actions.registry import ACTIONS
from tasks.agent import questions, runtime
from tasks.agent.client import ConductorRefused, ConductorUnreachable

log = structlog.get_logger(__name__)


def _task(verb: str) -> Callable[[str, int], None]:
    @shared_task(name=f"server.{verb}")
    def run(operation_id: str, attempt: int) -> None:
        try:
            runtime.current().runner.run(operation_id, attempt)
        except (ConductorUnreachable, ConductorRefused) as problem:
            log.warning("operation not taken", operation=operation_id, error=str(problem))

    run.__doc__ = ACTIONS[verb].__doc__
    return run


TASKS = {verb: _task(verb) for verb in ACTIONS}


current_app.steps["consumer"].add(questions.Questions)


@worker_init.connect
def _start(**_signal: object) -> None:
    try:
        runtime.start()
    except Exception:
        log.exception("the agent cannot start")
        os._exit(4)  # the supervisor starts another


@worker_shutdown.connect
def _stop(**_signal: object) -> None:
    runtime.stop()
