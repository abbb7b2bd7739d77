"""What is on the host against what should be: reported every 30 s and on life-cycle events.

A leftover is watched: only when it was seen again after a time of grace is its guest ended and its disks set aside, and
only days later are they removed. Nothing destructive when the conductor cannot be asked.
"""

from __future__ import annotations

import threading
import time

import structlog

from computecloud.conf import conf
from hosts.drivers import steps as stepping
from hosts.drivers.base import Driver, Networked
from hosts.drivers.errors import DriverError
from hosts.drivers.specs import GuestRef
from tasks.agent.client import Conductor, ConductorRefused, ConductorUnreachable
from tasks.agent.journal import EpochTooOld, Journal
from tasks.conductor import wire

log = structlog.get_logger(__name__)
DAY_S = 86400.0


class Reconciler:
    """For all hosts of an agent."""

    def __init__(
        self,
        conductor: Conductor,
        drivers: dict[str, Driver],
        journal: Journal,
        *,
        grace_s: float | None = None,
        margin_s: float = 1.0,
    ) -> None:
        """``margin_s``: what a report may take on its way, added to the age of what it says."""
        self.conductor = conductor
        self.drivers = drivers
        self.journal = journal
        self.grace_s = conf().leftover_grace_s if grace_s is None else grace_s
        self.margin_s = margin_s
        self._suspects: dict[str, dict[str, float]] = {host_id: {} for host_id in drivers}  # guest -> first seen at
        self._removals: dict[str, list[wire.Removal]] = {host_id: [] for host_id in drivers}  # not yet reported
        self._seen_once: set[str] = set()
        self._lock = threading.Lock()

    def run(self) -> bool:
        """One look at every host; whether another one is due soon."""
        look_again = False
        with self._lock:
            for host_id, driver in self.drivers.items():
                try:
                    look_again |= self._host(host_id, driver)
                except (ConductorUnreachable, ConductorRefused) as problem:
                    log.warning("not reconciled: the conductor cannot be asked", host=host_id, error=str(problem))
                except DriverError as problem:
                    log.warning("not reconciled: the hypervisor does not answer", host=host_id, error=str(problem))
        return look_again

    def _host(self, host_id: str, driver: Driver) -> bool:
        began, told = time.monotonic(), list(self._removals[host_id])
        guests = list(driver.list())
        known = frozenset(guest.id for guest in guests)
        answer = self.conductor.observe(
            wire.Observe(
                host_id,
                [wire.GuestSeen(guest.id, int(guest.power), guest.epoch) for guest in guests],
                list(driver.leftovers(known)),
                is_first=host_id not in self._seen_once,
                lost_disks=dict(driver.lost_disks()),
                removals=told,
                age_s=time.monotonic() - began + self.margin_s,
            )
        )
        del self._removals[host_id][: len(told)]
        self._seen_once.add(host_id)
        if isinstance(driver, Networked):
            driver.sync_peers(answer.peers)
        for guest_id in answer.unknown:
            log.warning("a guest that no row knows is left alone", host=host_id, guest=guest_id)
        self._watch(host_id, driver, {bell.id: bell.attempt for bell in answer.gone})
        for bell in answer.condemned:  # a person has looked at it: no time of grace
            self._set_aside(host_id, driver, bell.id, bell.attempt)
        if answer.may_reap:
            self._reap(host_id, driver)
        return answer.look_again

    def _watch(self, host_id: str, driver: Driver, gone: dict[str, int]) -> None:
        """Set aside what was seen before and has had its grace; remember the others."""
        now, known = time.monotonic(), self._suspects[host_id]
        self._suspects[host_id] = {guest_id: known.get(guest_id, now) for guest_id in gone}
        for guest_id in known.keys() & gone.keys():
            if now - known[guest_id] >= self.grace_s:
                self._set_aside(host_id, driver, guest_id, gone[guest_id])

    def _set_aside(self, host_id: str, driver: Driver, guest_id: str, epoch: int) -> None:
        """Its row says that it has no right to be here, and said so before; or an administrator does."""
        try:
            self.journal.admit(guest_id, epoch)
        except EpochTooOld:
            return
        log.warning("setting aside what has no right to be here", host=host_id, guest=guest_id)
        stepping.run_all(driver.set_aside(GuestRef(guest_id, epoch, "reconcile")))
        self._removals[host_id].append(wire.Removal(guest_id, "set_aside"))

    def _reap(self, host_id: str, driver: Driver) -> None:
        for guest_id in driver.reap(conf().quarantine_days * DAY_S):
            log.warning("what was set aside has had its days and is removed", host=host_id, guest=guest_id)
            self._removals[host_id].append(wire.Removal(guest_id, "reaped"))
