"""Whether a worker still hears its queues: it rings them itself, and listens.

A consumer was seen to stay connected and silent after its broker came back. Then its heartbeat is fresh, and nothing
reaches it. The pollers keep the work flowing; the canary notices, and the process starts anew.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import structlog

from computecloud.conf import conf
from operations import bell

log = structlog.get_logger(__name__)


class Canary:
    """For the queues of one process. ``can_judge`` says whether silence would mean anything now."""

    def __init__(self, queues: Sequence[str], task: str, *, can_judge: Callable[[], bool]) -> None:
        self.queues = queues
        self.task = task
        self.can_judge = can_judge
        self._lock = threading.Lock()
        self._unheard: dict[str, float] = {}  # queue -> since when a message rung there was not heard
        self._heard: set[str] = set()

    def sing(self) -> list[str]:
        """Ring every queue; the names of those that are stalled."""
        stalled = self.stalled()
        for queue in self.queues:
            rang = bell.ring(queue, self.task, queue, expires_s=conf().consumer_stale_s)
            with self._lock:
                if rang:
                    self._unheard.setdefault(queue, time.monotonic())
                else:
                    self._unheard.pop(queue, None)  # the broker is away: silence says nothing
        return stalled

    def hear(self, queue: str) -> None:
        """A message of that queue arrived, the canary's or any other."""
        if queue not in self.queues:
            return
        with self._lock:
            self._unheard.pop(queue, None)
            self._heard.add(queue)

    def heard(self) -> list[str]:
        """Queues heard since the last question."""
        with self._lock:
            found, self._heard = sorted(self._heard), set()
            return found

    def stalled(self) -> list[str]:
        """Queues that were rung and are silent for too long."""
        with self._lock:
            if not self.can_judge():
                self._unheard.clear()
                return []
            now = time.monotonic()
            return [queue for queue, since in self._unheard.items() if now - since >= conf().consumer_stale_s]
