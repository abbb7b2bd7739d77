"""What is on the host against what should be: reported every 30 s and on life-cycle events.

Two sightings before anything is removed; nothing destructive when the conductor cannot be asked.
"""

from __future__ import annotations

import threading

import structlog

from hosts.drivers import steps as stepping
from hosts.drivers.base import Driver, Networked
from hosts.drivers.errors import DriverError
from hosts.drivers.specs import GuestRef
from tasks.agent.client import Conductor, ConductorRefused, ConductorUnreachable
from tasks.agent.journal import EpochTooOld, Journal
from tasks.conductor import wire

log = structlog.get_logger(__name__)


class Reconciler:
    """For all hosts of an agent."""

    def __init__(self, conductor: Conductor, drivers: dict[str, Driver], journal: Journal) -> None:
        self.conductor = conductor
        self.drivers = drivers
        self.journal = journal
        self._suspects: dict[str, set[str]] = {host_id: set() for host_id in drivers}
        self._seen_once: set[str] = set()
        self._lock = threading.Lock()

    def run(self) -> None:
        """One look at every host."""
        with self._lock:
            for host_id, driver in self.drivers.items():
                try:
                    self._host(host_id, driver)
                except (ConductorUnreachable, ConductorRefused) as problem:
                    log.warning("not reconciled: the conductor cannot be asked", host=host_id, error=str(problem))
                except DriverError as problem:
                    log.warning("not reconciled: the hypervisor does not answer", host=host_id, error=str(problem))

    def _host(self, host_id: str, driver: Driver) -> None:
        guests = list(driver.list())
        known = frozenset(guest.id for guest in guests)
        answer = self.conductor.observe(
            wire.Observe(
                host_id,
                [wire.GuestSeen(guest.id, int(guest.power), guest.epoch) for guest in guests],
                list(driver.leftovers(known)),
                is_first=host_id not in self._seen_once,
                lost_disks=dict(driver.lost_disks()),
            )
        )
        self._seen_once.add(host_id)
        if isinstance(driver, Networked):
            driver.sync_peers(answer.peers)
        for guest_id in answer.unknown:
            log.warning("a guest that no row knows is left alone", host=host_id, guest=guest_id)
        gone = {bell.id: bell.attempt for bell in answer.gone}
        for guest_id in self._suspects[host_id] & gone.keys():
            self._remove(host_id, driver, guest_id, gone[guest_id])
        self._suspects[host_id] = set(gone)

    def _remove(self, host_id: str, driver: Driver, guest_id: str, epoch: int) -> None:
        """Second sighting: its row says that it has no right to be here."""
        try:
            self.journal.admit(guest_id, epoch)
        except EpochTooOld:
            return
        log.warning("removing what a moved or deleted server left behind", host=host_id, guest=guest_id)
        stepping.run_all(driver.destroy(GuestRef(guest_id, epoch, "reconcile")))
