"""The one long-lived libvirt connection of a host: events, keepalive, reconnection, calls with deadlines.

libvirt's default event loop runs in one daemon thread of the process, registered before the first connection opens. Its
callbacks only put something into a queue: a libvirt call from inside the loop would wait for itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import chain, repeat
from queue import SimpleQueue
from typing import TypeVar

import libvirt
import structlog

from hosts.drivers import steps
from hosts.drivers.errors import DriverError, Transient
from hosts.drivers.libvirt.calls import Calls
from hosts.drivers.libvirt.errors import is_lost_connection, translate

T = TypeVar("T")
log = structlog.get_logger(__name__)
KEEPALIVE_S, KEEPALIVE_COUNT = 5, 5
BACK_OFF_S = (0.2, 0.5, 1.0, 2.0, 5.0)
RELOOK_S = 1.0  # a waiter looks again this often, should an event be lost


class _EventLoop:
    """libvirt's event loop, started once per process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started = False

    def ensure(self) -> None:
        with self._lock:
            if not self._started:
                libvirt.virEventRegisterDefaultImpl()
                libvirt.registerErrorHandler(lambda _context, _error: None, None)  # errors are raised, not printed
                threading.Thread(target=self._run, name="libvirt-events", daemon=True).start()
                self._started = True

    def _run(self) -> None:
        while True:
            libvirt.virEventRunDefaultImpl()


_event_loop = _EventLoop()


def _is_alive(connection: libvirt.virConnect) -> bool:
    try:
        return bool(connection.isAlive())
    except libvirt.libvirtError:  # closed meanwhile by the thread that reopens
        return False


class Connection:
    """Opens by itself, and again when it is lost; while it is not there, calls raise Transient."""

    def __init__(self, uri: str, *, calls: int, deadline_s: float) -> None:
        self._uri = uri
        self._deadline_s = deadline_s
        self._calls = Calls(calls, "libvirt")
        self._connection: libvirt.virConnect | None = None
        self._changed = threading.Condition()
        self._generation = 0  # counts events and reconnections, for waiters
        self._closing = threading.Event()
        self._lost = threading.Event()
        self._dead: libvirt.virConnect | None = None  # to be closed by the thread that reopens
        self._news: SimpleQueue[str | None] = SimpleQueue()
        self._listeners: list[Callable[[str], None]] = []
        self._on_open: Callable[[], None] = lambda: None

    def start(self, on_open: Callable[[], None]) -> None:
        """Open now if the daemon answers, else keep trying. ``on_open`` runs after every reopening but the first."""
        _event_loop.ensure()
        try:
            self._open()
        except DriverError as problem:
            log.warning("hypervisor does not answer yet", uri=self._uri, problem=str(problem))
            self._lost.set()
        self._on_open = on_open
        threading.Thread(target=self._keep_open, name="libvirt-reconnect", daemon=True).start()
        threading.Thread(target=self._tell, name="libvirt-news", daemon=True).start()

    def close(self) -> None:
        self._closing.set()
        self._lost.set()
        self._news.put(None)
        with self._changed:
            connection, self._connection = self._connection, None
            self._changed.notify_all()
        if connection is not None:
            self._quietly_close(connection)
        self._calls.close()

    def listen(self, listener: Callable[[str], None]) -> None:
        """``listener(guest id)`` on every life-cycle event, from a thread in which libvirt may be called."""
        self._listeners.append(listener)

    def ask(self, doing: str, question: Callable[[libvirt.virConnect], T], *, deadline_s: float | None = None) -> T:
        """Run ``question`` with the connection. Raises what ``errors.translate`` says; Transient after the deadline."""
        connection = self._connection
        if connection is None:
            raise Transient(f"{doing}: the hypervisor does not answer")
        try:
            return self._calls.call(doing, lambda: question(connection), deadline_s=deadline_s or self._deadline_s)
        except libvirt.libvirtError as error:
            if is_lost_connection(error) and not _is_alive(connection):
                self._lose(connection)
            raise translate(error, doing) from error

    def change(self, doing: str, act: Callable[[libvirt.virConnect], T], *, deadline_s: float | None = None) -> T:
        """As ``ask``, for what changes something: only inside a step."""
        steps.require(doing)
        return self.ask(doing, act, deadline_s=deadline_s)

    def wait_until(self, is_so: Callable[[], bool], *, timeout_s: float) -> bool:
        """Look, then look again at every event, until ``is_so()`` or the time is over. Returns the last look.

        Ends early with Transient when the running operation is to stop (``steps.check``).
        """
        end = time.monotonic() + timeout_s
        while True:
            with self._changed:
                seen = self._generation
            if is_so():
                return True
            left = end - time.monotonic()
            if left <= 0:
                return False
            steps.check()
            with self._changed:
                if self._generation == seen:
                    self._changed.wait(min(left, RELOOK_S))

    def _open(self) -> None:
        connection = self._calls.call("opening", self._connect, deadline_s=self._deadline_s)
        with self._changed:
            self._connection = connection
            self._generation += 1
            self._changed.notify_all()
        log.info("hypervisor connected", uri=self._uri)

    def _connect(self) -> libvirt.virConnect:
        try:
            connection = libvirt.open(self._uri)
            self._watch(connection)
        except libvirt.libvirtError as error:
            raise translate(error, f"opening {self._uri}") from error
        return connection

    def _watch(self, connection: libvirt.virConnect) -> None:
        connection.registerCloseCallback(lambda *_: self._lose(connection), None)
        connection.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._on_event, None)
        try:
            connection.setKeepAlive(KEEPALIVE_S, KEEPALIVE_COUNT)
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_SUPPORT:  # libvirt's test driver has none
                raise

    def _on_event(self, _: object, domain: libvirt.virDomain, event: int, detail: int, __: object) -> None:
        del event, detail  # a hint; who hears it looks for himself
        self._news.put(domain.UUIDString())
        with self._changed:
            self._generation += 1
            self._changed.notify_all()

    def _lose(self, connection: libvirt.virConnect) -> None:
        with self._changed:
            if self._connection is not connection:
                return
            self._connection = None
            self._generation += 1
            self._changed.notify_all()
        log.warning("hypervisor connection lost", uri=self._uri)
        self._dead = connection
        self._lost.set()

    def _keep_open(self) -> None:
        while not self._closing.is_set():
            self._lost.wait()
            self._lost.clear()
            dead, self._dead = self._dead, None
            if dead is not None:
                self._quietly_close(dead)
            self._reopen()

    def _reopen(self) -> None:
        for pause_s in chain(BACK_OFF_S, repeat(BACK_OFF_S[-1])):
            if self._closing.wait(pause_s):
                return
            try:
                self._open()
                self._on_open()
            except DriverError as problem:
                log.info("hypervisor still does not answer", uri=self._uri, problem=str(problem))
            else:
                return

    def _tell(self) -> None:
        while (guest_id := self._news.get()) is not None:
            self.announce(guest_id)

    def announce(self, guest_id: str) -> None:
        """Tell all listeners that ``guest_id`` may have changed."""
        for listener in self._listeners:
            listener(guest_id)

    def _quietly_close(self, connection: libvirt.virConnect) -> None:
        try:
            self._calls.call("closing", connection.close, deadline_s=5)
        except (libvirt.libvirtError, DriverError) as problem:
            log.info("hypervisor connection did not close", problem=str(problem))
