"""Counts failures by key, in this process's memory: anonymous callers make no rows (S32)."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

MOST_KEYS = 10_000


class Failures:
    """A leaky bucket per key: so many failures a minute, oldest keys forgotten first."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_minute = per_minute
        self._clock = clock
        self._levels: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def _level(self, key: Hashable, now: float) -> float:
        level, seen = self._levels.get(key, (0.0, now))
        return max(0.0, level - (now - seen) * self.per_minute / 60.0)

    def exhausted(self, key: Hashable) -> bool:
        """Whether the key has used up its failures."""
        with self._lock:
            return self._level(key, self._clock()) > self.per_minute - 1

    def note(self, key: Hashable) -> None:
        """One more failure."""
        with self._lock:
            now = self._clock()
            level = min(self._level(key, now) + 1.0, float(self.per_minute))
            self._levels[key] = (level, now)
            self._levels.move_to_end(key)
            if len(self._levels) > MOST_KEYS:
                self._levels.popitem(last=False)

    def forget(self, key: Hashable) -> None:
        with self._lock:
            self._levels.pop(key, None)
