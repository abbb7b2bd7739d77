"""Celery's consumer without what we do not use. Named by the setting ``worker_consumer``: only workers load it."""

from __future__ import annotations

from celery.worker import consumer


class Consumer(consumer.Consumer):
    """Declares no exchanges and queues for delayed messages on RabbitMQ: an operation's ``not_before`` is a column."""

    class Blueprint(consumer.Consumer.Blueprint):  # type: ignore[misc,valid-type]  # a class attribute of its stub
        default_steps = [
            step for step in consumer.Consumer.Blueprint.default_steps if not step.endswith(":DelayedDelivery")
        ]
