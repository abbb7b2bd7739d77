"""Celery's consumer without what we do not use, and calmer. Named by the setting ``worker_consumer``: only workers
load it."""

from __future__ import annotations

from typing import Any

from celery.worker import consumer

EVENTS_EVERY_S = 0.5


class Consumer(consumer.Consumer):
    """Declares no exchanges and queues for delayed messages on RabbitMQ: an operation's ``not_before`` is a column.

    Task events for Flower leave in one message every half second, or when two dozen wait. Celery publishes after each,
    which cost two fifths of a worker's CPU and stood between a message's receipt and its task.
    """

    class Blueprint(consumer.Consumer.Blueprint):  # type: ignore[misc,valid-type]  # a class attribute of its stub
        default_steps = [
            step for step in consumer.Consumer.Blueprint.default_steps if not step.endswith(":DelayedDelivery")
        ]

    def on_send_event_buffered(self) -> None:  # type: ignore[override]  # celery-types is wrong about this one
        """Celery would flush at the loop's next turn; the timer does."""

    def register_with_event_loop(self, hub: Any) -> None:
        super().register_with_event_loop(hub)
        hub.call_repeatedly(EVENTS_EVERY_S, self._flush_events)  # type: ignore[attr-defined]  # not in its stub
