"""What a worker hears from the broker: doorbells. Junk is dropped, and nobody commands a worker from there (S52).

A stolen broker password can then ring bells and read ids. Kombu's own Redis transport ends its process when an entry
of a queue is no message, and Celery's workers obey whoever can publish.
"""

from __future__ import annotations

from typing import Any

import structlog
from celery.worker.control import Panel
from kombu.exceptions import KombuError
from kombu.transport import TRANSPORT_ALIASES, redis

log = structlog.get_logger(__name__)
JUNK = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError, KombuError)
"""What reading an entry raises that no publisher of ours wrote. Broken connections are OSErrors: not among them."""
TELLING = {"enable_events", "disable_events", "heartbeat"}
"""Commands that change a worker's voice only; Flower gives them."""


class Channel(redis.Channel):
    """A Redis channel that outlives what others put into its queues."""

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]  # its stub leaves it out
        except JUNK as problem:
            return self._dropped(problem)

    def _deliver_fanout_message(self, message: Any, exchange: str) -> Any:
        try:
            return super()._deliver_fanout_message(message, exchange)  # type: ignore[misc]  # likewise
        except JUNK as problem:
            return self._dropped(problem)

    def _dropped(self, problem: Exception) -> bool:
        log.warning("not a message, dropped", error=f"{type(problem).__name__}: {problem}"[:200])
        return True


class Transport(redis.Transport):
    Channel = Channel


def harden() -> None:
    """For a worker, before it connects: the channel above, and no commands that stop, deafen or resize it."""
    for scheme in ("redis", "rediss"):  # plain and with TLS
        TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"
    for name, command in list(Panel.meta.items()):
        if command.type != "inspect" and name not in TELLING:
            for known in (name, *(word for word, made in Panel.data.items() if made is Panel.data[name])):
                Panel.data.pop(known, None)
