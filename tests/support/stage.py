"""A small cloud in one process: real rows, real conductor code, fake drivers; the bell is rung by hand."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db.models.functions import Now
from django.utils import timezone

from hosts.drivers import registry
from hosts.drivers.errors import Fatal, Transient
from hosts.drivers.fake.driver import FakeDriver
from hosts.models import Agent, Host
from instances import transit
from instances.actions.registry import READS
from instances.audit import findings
from instances.models import Instance
from integrations.images import facade as images
from operations.models import Operation
from operations.models.operation import CONTROL
from scheduling import service
from tasks import control, placing
from tasks.agent.client import ConductorRefused, ConductorUnreachable
from tasks.agent.journal import Journal
from tasks.agent.reconcile import Reconciler
from tasks.agent.runner import Runner
from tasks.conductor import presence, watch, wire, work

SMALL = {"vcpus": 8, "ram_mb": 8192, "disk_gb": 100}


class LocalConductor:
    """The conductor without HTTP: everything still crosses the wire format."""

    def __init__(self, agent_id: str, hosts: frozenset[str]) -> None:
        self.agent_id = agent_id
        self.hosts = hosts
        self.is_reachable = True

    def _pass(self, value: Any, kind: type[Any]) -> Any:
        if not self.is_reachable:
            raise ConductorUnreachable("cut")
        return wire.decode(wire.encode(value), kind)

    def take(self, body: wire.Take) -> wire.TakeAnswer:
        return self._pass(work.take(self._pass(body, wire.Take), self.hosts), wire.TakeAnswer)

    def renew(self, body: wire.Renew) -> wire.RenewAnswer:
        return self._pass(work.renew(self._pass(body, wire.Renew), self.hosts), wire.RenewAnswer)

    def finish(self, body: wire.Finish) -> wire.FinishAnswer:
        return self._pass(work.finish(self._pass(body, wire.Finish), self.hosts), wire.FinishAnswer)

    def observe(self, body: wire.Observe) -> wire.ObserveAnswer:
        if body.host_id not in self.hosts:
            raise ConductorRefused(403, "")
        return self._pass(watch.observe(self._pass(body, wire.Observe)), wire.ObserveAnswer)

    def fetch(self, image_id: str, sha512: str, target: Path) -> None:
        if not work.needs_image(image_id, self.hosts):
            raise Fatal("refused")
        target.write_bytes(b"image")

    def store(self, image_id: str, operation_id: str, source: Path) -> None:
        if not self.is_reachable:
            raise ConductorUnreachable("cut")
        if not work.makes_image(operation_id, image_id, self.hosts):
            raise Fatal("refused")
        image = images.known(image_id)
        if image is None or not image.is_active:
            images.store_bytes(image_id, [source.read_bytes()], source.stat().st_size)

    def send_disk(self, trip_id: str, operation_id: str, disk: str, source: Path) -> None:
        if not self.is_reachable:
            raise ConductorUnreachable("cut")
        move = work.carried_by(operation_id, trip_id, self.hosts)
        if move is None:
            raise Fatal("refused")
        transit.store(move, disk, [source.read_bytes()], source.stat().st_size)

    def fetch_disk(self, trip_id: str, operation_id: str, disk: str, sha512: str, target: Path) -> None:
        move = work.carried_by(operation_id, trip_id, self.hosts)
        if move is None:
            raise Transient("HTTP 403")
        file, _size = transit.opened(move, disk)
        with file:
            target.write_bytes(file.read())
        if hashlib.sha512(target.read_bytes()).hexdigest() != sha512:
            raise Fatal("other bytes")


class Stage:
    """``stage.settle()`` lets everything that waits happen."""

    def __init__(self, folder: Path, hosts: int = 2, **options: Any) -> None:
        self.folder = folder
        service.forget()
        self.agent, _secret = Agent.enrol()
        self.hosts = [
            Host.objects.create(name=f"host{number}", number=number, agent=self.agent, driver="fake")
            for number in range(1, hosts + 1)
        ]
        self.conductor = LocalConductor(self.agent.id, frozenset(host.id for host in self.hosts))
        self.drivers = {host.id: self._simulated(host, options) for host in self.hosts}
        self.nonce, self.reads = "first", READS
        self.start_agent()

    def _simulated(self, host: Host, options: dict[str, Any]) -> FakeDriver:
        driver = registry.make("fake", {**SMALL, **options}, self.conductor, self.folder / host.name)
        assert isinstance(driver, FakeDriver)
        return driver

    def start_agent(self) -> None:
        """A new agent process with the same disks."""
        known, self.nonce = self.nonce, f"{self.nonce}+"
        for driver in self.drivers.values():
            driver.start()
        self.journal = Journal(self.folder / "journal")
        self.runner = Runner(self.conductor, self.drivers, self.journal, self.reads)  # type: ignore[arg-type]
        self.reconciler = Reconciler(
            self.conductor, self.drivers, self.journal, grace_s=0.0, margin_s=0.0  # type: ignore[arg-type]
        )
        reports = [wire.HostReport(host_id, driver.inventory()) for host_id, driver in self.drivers.items()]
        presence.register(self.agent.id, wire.Register(self.nonce, "test", reports, known=[known], reads=self.reads))
        service.forget()

    # --- time

    def settle(self, rounds: int = 20) -> None:
        """Ring every bell until nothing waits."""
        for _ in range(rounds):
            waiting = list(Operation.objects.runnable().order_by("created_at"))
            if not waiting:
                return
            for operation in waiting:
                self.ring(operation)
        raise AssertionError(f"still waiting: {[str(one) for one in Operation.objects.open()]}")

    def ring(self, operation: Operation) -> None:
        if operation.queue == CONTROL:
            placing.place(operation.id, operation.attempt)
        else:
            self.runner.run(operation.id, operation.attempt)

    def lose_leases(self) -> None:
        """As if every lease had run out, and the sweeper came by."""
        Operation.objects.filter(state="running").update(lease_until=Now() - timedelta(seconds=1))
        control.return_expired_leases()
        control.end_hopeless()

    def skip_back_off(self) -> None:
        Operation.objects.filter(not_before__isnull=False).update(not_before=None)

    def silence(self, host: Host | None) -> None:
        """The host is not heard of any more."""
        assert host is not None
        Host.objects.filter(id=host.id).update(lease_expires_at=timezone.now() - timedelta(minutes=5))
        service.forget()

    # --- questions

    def guests(self) -> dict[str, str]:
        """Every guest on any host: id → host id."""
        return {guest.id: host_id for host_id, driver in self.drivers.items() for guest in driver.list()}

    def assert_balanced(self) -> None:
        """The audit finds nothing, and the guests on the hosts are those of the rows."""
        assert findings() == [], [str(one) for one in findings()]
        placed = Instance.objects.alive().filter(host__isnull=False)
        assert self.guests() == {one.id: one.host_id for one in placed if not one.is_error}
        for driver in self.drivers.values():
            assert not driver.leftovers(frozenset(self.guests()))
