"""The agent process as a whole: made once per process after Celery forked, torn down with it."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import structlog

from computecloud.conf import conf
from hosts.drivers import registry
from hosts.drivers.base import Driver
from hosts.drivers.errors import DriverError, Transient
from instances.actions.registry import READS
from operations.models.operation import host_queue
from tasks.agent import certificate
from tasks.agent import identity as identities
from tasks.agent.client import Conductor, ConductorRefused, ConductorUnreachable, TlsFiles
from tasks.agent.journal import Journal
from tasks.agent.reconcile import Reconciler
from tasks.agent.runner import Runner
from tasks.agent.seat import Seat
from tasks.canary import Canary
from tasks.conductor import wire
from tasks.pulse import Pulse

log = structlog.get_logger(__name__)
VERSION = "0.1.0"
CANARY_TASK = "agent.canary"
REGISTERED = "registered"  # a file that holds the id of the process which the conductor took
RETRY_S = 1.0
LOOK_S = 0.05
AGAIN_S = 1.5
SOUND_MISSES = 3
CERTIFICATE_S = 6 * 3600.0
FRESH_BEATS = 3  # so many intervals ago the conductor answered at the latest, or silence of the broker says nothing
STALLED = 5  # exit status


class ForeignGuests(Exception):
    """The host carries guests that were defined for a host with another UUID: nothing here may be touched."""


class Runtime:
    """Drivers, conductor, runner, and the threads: heartbeat with poll, lease renewal, reconciler, canary."""

    def __init__(self, hosts: Sequence[identities.HostIdentity]) -> None:
        self.nonce = uuid.uuid4().hex
        self.seat = Seat(Path(conf().state_dir), conf().host_down_after_s)
        first, state, underlay = hosts[0], Path(conf().state_dir), conf().underlay_address
        files = TlsFiles(conf().ca_file, conf().certificate_file, conf().key_file)
        self.conductor = Conductor(first.conductor_url, first.uuid, first.secret, tls=files)
        self.drivers: dict[str, Driver] = {
            host.uuid: registry.make(
                host.driver, host.driver_options, self.conductor, state / "hosts" / host.name, underlay
            )
            for host in hosts
        }
        self.journal = Journal(state / "journal", durable=any(host.driver != "fake" for host in hosts))
        self.runner = Runner(self.conductor, self.drivers, self.journal)
        self.reconciler = Reconciler(self.conductor, self.drivers, self.journal)
        self.pool = ThreadPoolExecutor(max_workers=conf().host_threads, thread_name_prefix="polled")
        self._misses = dict.fromkeys(self.drivers, 0)
        self._answered_at = float("-inf")  # when the conductor answered a heartbeat last
        self._is_leaving = False
        self.hosts_by_queue = {host_queue(host_id): host_id for host_id in self.drivers}
        self.canary = Canary([*self.hosts_by_queue], CANARY_TASK, can_judge=self._can_judge)
        self.pulses = [
            Pulse("heartbeat", self.beat, conf().heartbeat_s),
            Pulse("renewer", self.runner.renew, conf().lease_s / 3),
            Pulse("reconciler", self.reconcile, conf().reconcile_s),
            Pulse("canary", self.sing, conf().canary_s),
            Pulse("certificate", partial(certificate.renew, self.conductor), CERTIFICATE_S),
        ]

    def start(self) -> None:
        """Start the drivers, register (waiting for the conductor as long as it takes), start the threads.

        Raises SeatTaken, ForeignGuests, ConductorRefused: then this process must not stand for its hosts.
        """
        self.seat.take()
        for driver in self.drivers.values():
            driver.start()
            driver.on_change(lambda _guest: self.pulses[2].nudge())
        self._register()
        for pulse in self.pulses:
            pulse.start()
        for pulse in (self.pulses[0], *self.pulses[2:]):
            pulse.nudge()

    def _register(self) -> None:
        while True:
            try:
                hosts = [
                    wire.HostReport(host_id, driver.inventory(), conf().underlay_address or None)
                    for host_id, driver in self.drivers.items()
                ]
                self._refuse_foreign_guests()
                known = self.seat.nonces()
                self.seat.remember(*known, self.nonce)
                self.conductor.register(wire.Register(self.nonce, VERSION, hosts, known=known, reads=READS))
                self.seat.remember(self.nonce)
                (Path(conf().state_dir) / REGISTERED).write_text(f"{os.getpid()}\n")
                return
            except Transient as problem:  # the conductor is not reached, or the hypervisor does not answer yet
                log.warning("not registered, trying again", error=str(problem))
                self.seat.keep()
                time.sleep(RETRY_S)  # nothing else can be done before the conductor knows us

    def _refuse_foreign_guests(self) -> None:
        """Raises ForeignGuests: this host's identity is another's, or its own was lost (F33)."""
        for host_id, driver in self.drivers.items():
            foreign = {guest.host_id for guest in driver.list()} - {"", host_id}
            if foreign:
                raise ForeignGuests(f"guests of host {', '.join(sorted(foreign))} are here, and this is host {host_id}")

    def beat(self) -> None:
        """Heartbeat and poll in one call. A newer twin ends this process: the supervisor decides what runs."""
        beats = [self._beat_of(host_id, driver) for host_id, driver in self.drivers.items()]
        self.seat.keep()
        heard = [self.hosts_by_queue[queue] for queue in self.canary.heard()]
        try:
            answer = self.conductor.beat(wire.Beat(self.nonce, beats, heard, self._is_leaving, time.time()))
        except ConductorUnreachable as problem:
            log.warning("heartbeat not heard", error=str(problem))
            return
        except ConductorRefused as problem:
            log.error("the conductor does not accept this agent any more", error=str(problem))
            os._exit(3)  # threads of running steps must not go on acting for an identity that another process has
        self._answered_at = time.monotonic()
        for bell in answer.operations:
            self.pool.submit(self._polled, bell)

    def _polled(self, bell: wire.Bell) -> None:
        try:
            self.runner.run(bell.id, bell.attempt)
        except (ConductorUnreachable, ConductorRefused) as problem:
            log.warning("polled operation not taken", operation=bell.id, error=str(problem))

    def _beat_of(self, host_id: str, driver: Driver) -> wire.HostBeat:
        if len(self.drivers) > 1:
            return wire.HostBeat(host_id)
        try:
            found = driver.inventory()
        except DriverError as problem:
            self._misses[host_id] += 1
            log.warning("the hypervisor does not answer", host=host_id, error=str(problem))
            return wire.HostBeat(host_id, is_sound=self._misses[host_id] < SOUND_MISSES)
        self._misses[host_id] = 0
        return wire.HostBeat(host_id, found.disk_free_gb, found.running_vms)

    def reconcile(self) -> None:
        """Look; and look again soon where rows had just changed."""
        if self.reconciler.run():
            soon = threading.Timer(AGAIN_S, self.pulses[2].nudge)
            soon.daemon = True
            soon.start()

    # --- the canary

    def sing(self) -> None:
        """Ring our own queues. When they are silent though all else is well, give back what is under way and end."""
        stalled = self.canary.sing()
        if stalled and not self._is_leaving:
            log.error("the broker's messages do not reach this worker: starting anew", queues=stalled)
            self.leave()
            os._exit(STALLED)  # the consumer's own thread hangs: nothing else ends this process

    def _can_judge(self) -> bool:
        """The conductor answers, and threads are free: a busy pool rightly takes no message from its queues."""
        is_fresh = time.monotonic() - self._answered_at < FRESH_BEATS * conf().heartbeat_s
        return is_fresh and self.runner.busy() < conf().host_threads

    # --- the end

    def leave(self) -> None:
        """Drain: no new work, the scheduler is told, open operations are given back at their next step's boundary.

        Returns when nothing is under way, or when ``drain_s`` are over; then the conductor returns what is left as
        soon as the next process registers.
        """
        self._is_leaving = True
        self.runner.leave()
        self.pulses[0].nudge()
        until = time.monotonic() + conf().drain_s
        while self.runner.busy() and time.monotonic() < until:
            time.sleep(LOOK_S)
        log.info("this worker leaves", unfinished=self.runner.busy())

    def stop(self) -> None:
        """After ``leave``: threads end, drivers let go."""
        for pulse in self.pulses:
            pulse.stop()
        self.pool.shutdown(wait=False, cancel_futures=True)
        for driver in self.drivers.values():
            driver.close()
        self.seat.leave()


_runtime: Runtime | None = None


def current() -> Runtime:
    """The process's runtime. Raises RuntimeError before it was started."""
    if _runtime is None:
        raise RuntimeError("the agent has not started")
    return _runtime


def start() -> Runtime:
    """Make and start it, once."""
    global _runtime
    if _runtime is None:
        _runtime = Runtime(identities.load(conf().identities))
        _runtime.start()
    return _runtime


def leave() -> None:
    """Drain. A step that will not end does not keep the process, nor does a conductor that never answered."""
    if _runtime is not None:
        _runtime.leave()
    if _runtime is None or _runtime.runner.busy():
        os._exit(0)


def stop() -> None:
    global _runtime
    if _runtime is not None:
        _runtime.leave()
        _runtime.stop()
        _runtime = None
