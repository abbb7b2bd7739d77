"""A bounded pool of daemon threads for calls that may hang: the caller waits until its deadline and no longer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from queue import SimpleQueue
from typing import TypeVar

from hosts.drivers.errors import Transient

T = TypeVar("T")


class Calls:
    """At most ``size`` calls run at once. A call that was given up still holds its thread until it returns."""

    def __init__(self, size: int, name: str) -> None:
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._size = size
        self._name = name
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._lock = threading.Lock()

    def call(self, doing: str, function: Callable[[], T], *, deadline_s: float) -> T:
        """What ``function`` gives or raises. Raises Transient after ``deadline_s``: the outcome is then unknown."""
        future: Future[T] = Future()
        context = copy_context()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(context.run(function))
            except BaseException as error:  # noqa: BLE001 -- handed to the caller whole
                future.set_exception(error)

        self._submit(work)
        try:
            return future.result(timeout=deadline_s)
        except TimeoutError as late:
            if future.done() and not future.cancelled():
                raise  # the function's own TimeoutError
            future.cancel()
            raise Transient(f"{doing}: no answer within {deadline_s:g} s, the outcome is unknown") from late

    def close(self) -> None:
        """Let idle threads end. Those in a call end with it, or with the process."""
        with self._lock:
            for _ in self._threads:
                self._queue.put(None)
            self._threads = []

    def _submit(self, work: Callable[[], None]) -> None:
        with self._lock:
            self._queue.put(work)
            if self._idle < self._queue.qsize() and len(self._threads) < self._size:
                thread = threading.Thread(target=self._run, name=f"{self._name}-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()

    def _run(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            work = self._queue.get()
            with self._lock:
                self._idle -= 1
            if work is None:
                return
            work()
