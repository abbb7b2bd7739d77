"""A small worker of its own for questions to a host (console output, later abort): queue ``host.<uuid>.ctl``.

The main pool's threads may all be busy with long steps, and a busy pool holds back every message of its queues. This
consumer has its own queue and two threads, inside the same process and on the same connection.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog
from celery import bootsteps, current_app
from kombu import Consumer

from computecloud.conf import conf
from operations.models.operation import host_queue, question_queue
from tasks.agent import identity, runtime
from tasks.agent.client import ConductorRefused, ConductorUnreachable

log = structlog.get_logger(__name__)
THREADS = 2


class Questions(bootsteps.ConsumerStep):
    """Added to the worker's consumer blueprint; survives its reconnects."""

    requires = ("celery.worker.consumer:Connection",)

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self.pool = ThreadPoolExecutor(THREADS, thread_name_prefix="question")

    def get_consumers(self, channel: Any) -> list[Consumer]:
        hosts = identity.load(conf().identities)
        # Declared exactly as a publisher declares it: RabbitMQ refuses a queue that is described in two ways.
        queues = [current_app.amqp.queues.new_missing(question_queue(host_queue(host.uuid))) for host in hosts]
        return [Consumer(channel, queues=queues, callbacks=[self.heard], accept=["json"], prefetch_count=4)]

    def heard(self, body: Any, message: Any) -> None:
        """Acknowledge at once: the row waits, not the message."""
        message.ack()
        match body:
            case [[str(operation_id), int(attempt)], *_]:
                self.pool.submit(self.answer, operation_id, attempt)
            case _:
                log.warning("a message that is no bell was dropped")

    @staticmethod
    def answer(operation_id: str, attempt: int) -> None:
        try:
            runtime.current().runner.run(operation_id, attempt)
        except (ConductorUnreachable, ConductorRefused) as problem:
            log.warning("question not taken", operation=operation_id, error=str(problem))
