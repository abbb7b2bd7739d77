"""Messages rung by hand: again, late, in the wrong order. They look as those of the product do."""

from __future__ import annotations

from celery import Celery
from kombu.exceptions import KombuError


class Bells:
    """Rings at a running cloud's broker."""

    def __init__(self, url: str) -> None:
        kind = "quorum" if url.startswith("amqp") else "classic"
        self.app = Celery("bells", broker=url, set_as_current=False)
        self.app.conf.update(task_create_missing_queue_type=kind, task_serializer="json", task_ignore_result=True)
        self.app.conf.update(broker_connection_timeout=2, task_publish_retry=False)

    def ring(self, queue: str, task: str, operation_id: str, attempt: int, times: int = 1) -> None:
        for _ in range(times):
            self.app.send_task(task, args=(operation_id, attempt), queue=queue)

    def waiting(self, queue: str) -> int:
        """Messages that nobody has taken; 0 for a queue that is not there."""
        with self.app.connection_for_read() as line, line.channel() as channel:
            try:
                declared = self.app.amqp.queues.new_missing(queue)(channel).queue_declare(passive=True)
            except (KombuError, *line.channel_errors):
                return 0
            return int(declared.message_count)

    def close(self) -> None:
        self.app.close()
