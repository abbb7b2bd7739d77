"""The broker goes away, restarts, forgets, fills up, falls silent: the rows have all work, so nothing is lost.

``COMPUTECLOUD_TEST_LONG=1`` takes the long forms: five minutes away instead of seconds, twenty restarts instead of few.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from tests.faults.conftest import FaultCloud, Rig, wait_for

pytestmark = pytest.mark.faults

LONG = bool(os.environ.get("COMPUTECLOUD_TEST_LONG"))
AWAY_S = 300.0 if LONG else 8.0
RESTARTS, OVER_S = (20, 120.0) if LONG else (4, 10.0)
CONSUMES_AGAIN_S = 30.0
NOBODY = "00000000-0000-0000-0000-000000000000"  # an operation that is none


@pytest.fixture(autouse=True)
def tidy(rig: Rig) -> Iterator[None]:
    """Whatever a test did to the broker, the next one finds it well."""
    yield
    rig.stores.start_broker()


def answered_within(cloud: FaultCloud, seconds: float, name: str) -> str:
    began = time.monotonic()
    server = cloud.create(name)
    took = time.monotonic() - began
    assert took < seconds, f"the request waited {took:.1f} s for a broker"
    return server


def all_become(cloud: FaultCloud, servers: list[str], status: str) -> None:
    for server in servers:
        cloud.wait_status(server, status)


def queues(rig: Rig) -> list[tuple[str, str]]:
    """Each queue of the cloud, and a task its consumer knows."""
    hosts = [row[0] for row in rig.books.ask("SELECT id FROM hosts_host")]
    found = [("control", "control.create")]
    for host in hosts:
        found += [(f"host.{host}", "server.create"), (f"host.{host}.ctl", "server.console")]
    return found


def assert_all_consume(rig: Rig) -> None:
    """A bell in each queue is taken out of it."""
    for queue, task in queues(rig):
        wait_for(f"a bell in {queue}", lambda q=queue, t=task: _rings(rig, q, t), CONSUMES_AGAIN_S)  # type: ignore[misc]
    for queue, _task in queues(rig):
        wait_for(f"a consumer of {queue}", lambda q=queue: rig.bells.waiting(q) == 0, CONSUMES_AGAIN_S)  # type: ignore[misc]


def _rings(rig: Rig, queue: str, task: str) -> bool:
    try:
        rig.bells.ring(queue, task, NOBODY, 0)
    except Exception:  # noqa: BLE001 -- the broker is on its way up
        return False
    return True


@pytest.mark.row("F18")
def test_away_under_load(rig: Rig) -> None:
    cloud = rig.cloud
    before = cloud.create("before-the-outage")
    rig.stores.stop_broker()
    until, servers = time.monotonic() + AWAY_S, [before]
    while time.monotonic() < until:
        if len(servers) < 10:
            servers.append(answered_within(cloud, 15, f"during-{len(servers)}"))
        else:
            cloud.delete(servers[-1])
            cloud.wait_status(servers.pop(), "gone")  # the pollers keep work flowing
        time.sleep(AWAY_S / 20)
    rig.stores.start_broker()
    all_become(cloud, servers, "ACTIVE")
    assert_all_consume(rig)
    for server in servers:
        cloud.delete(server)
    all_become(cloud, servers, "gone")
    cloud.assert_balanced()


@pytest.mark.row("F19", "F21")
def test_killed_again_and_again(rig: Rig) -> None:
    cloud, servers = rig.cloud, []
    for number in range(RESTARTS):
        began = time.monotonic()
        if len(servers) < 9:
            servers.append(cloud.create(f"restarts-{number}"))
        rig.stores.kill_broker()  # it may have the bell already: gone with it
        time.sleep(max(0.0, OVER_S / RESTARTS - (time.monotonic() - began)))
    rig.stores.wait_for_broker()
    assert_all_consume(rig)
    all_become(cloud, servers, "ACTIVE")
    for server in servers:
        cloud.delete(server)
    all_become(cloud, servers, "gone")
    cloud.assert_balanced()


@pytest.mark.row("F20")
def test_forgets_all_messages(rig: Rig) -> None:
    cloud, servers = rig.cloud, []
    for number in range(9):
        servers.append(cloud.create(f"forgotten-{number}"))
        if number % 3 == 2:
            rig.stores.forget_messages()
    all_become(cloud, servers, "ACTIVE")
    for server in servers:
        cloud.delete(server)
    rig.stores.forget_messages()
    all_become(cloud, servers, "gone")
    cloud.assert_balanced()


@pytest.mark.row("F22")
def test_full(rig: Rig) -> None:
    cloud = rig.cloud
    log = cloud.state / "log" / "api.log"
    said = log.read_text().count("bell did not ring")
    empty = rig.stores.fill_broker()
    try:
        began = time.monotonic()
        servers = [cloud.create(f"full-{number}") for number in range(6)]
        assert time.monotonic() - began < 15, "requests wait for a broker that is full"
        told = log.read_text().count("bell did not ring")
        assert told > said or said > 0, "it failed silently"  # the breaker may be open since the test before
        all_become(cloud, servers, "ACTIVE")
    finally:
        empty()
    assert_all_consume(rig)
    for server in servers:
        cloud.delete(server)
    all_become(cloud, servers, "gone")
    cloud.assert_balanced()


@pytest.mark.row("F18")
def test_silent(rig: Rig) -> None:
    """It takes connections and says nothing: worse than one that is gone."""
    cloud = rig.cloud
    rig.stores.silence_broker()
    began = time.monotonic()
    servers = [answered_within(cloud, 20, f"silent-{number}") for number in range(6)]
    assert time.monotonic() - began < 30, "each request pays for the silence"
    all_become(cloud, servers, "ACTIVE")
    rig.stores.start_broker()
    assert_all_consume(rig)
    for server in servers:
        cloud.delete(server)
    all_become(cloud, servers, "gone")
    cloud.assert_balanced()
