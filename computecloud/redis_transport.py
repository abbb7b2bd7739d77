"""Kombu's transport for Redis as every process here uses it: it outlives junk in a queue, and keeps its client.

Kombu's own ends its process when an entry of a queue is no message (S52), and makes a new client for each message that
it publishes, which is a third of what a doorbell costs.
"""

from __future__ import annotations

from typing import Any

import structlog
from kombu.exceptions import KombuError
from kombu.transport import TRANSPORT_ALIASES, redis

log = structlog.get_logger(__name__)
JUNK = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError, KombuError)
"""What reading an entry raises that no publisher of ours wrote. Broken connections are OSErrors: not among them."""


class Channel(redis.Channel):
    """A Redis channel that outlives what others put into its queues. Its clients share its pool of connections."""

    _kept: Any = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        if asynchronous:
            return super()._create_client(asynchronous)  # type: ignore[misc]  # its stub leaves it out
        if self._kept is None or self._kept.connection_pool is not self.pool:
            self._kept = super()._create_client()  # type: ignore[misc]  # likewise
        return self._kept

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]  # likewise
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


def use() -> None:
    """For every connection that this process makes from now on."""
    for scheme in ("redis", "rediss"):  # plain and with TLS
        TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"
