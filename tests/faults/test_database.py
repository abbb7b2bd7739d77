"""The database restarts, is cut off or locked under load: done or not done, never half; 503 and never 500."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from tests.faults.conftest import FaultCloud, Rig
from tests.support.members import SERVERS, Ledger, Member
from tests.support.stores import PostgresRabbit

pytestmark = pytest.mark.faults

LONG = bool(os.environ.get("COMPUTECLOUD_TEST_LONG"))
AWAY_S = 15.0 if LONG else 4.0
WRITERS = 64


class Witness:
    """Notes every answer's status, and whether a 503 says when to come back."""

    def __init__(self, cloud: FaultCloud) -> None:
        self.cloud = cloud
        self.statuses: Counter[int] = Counter()
        self.silent_503s = 0
        self.bad: list[Any] = []
        self._lock = threading.Lock()

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        status, headers, found = self.cloud.ask(method, path, body)
        self.note(status, headers, found)
        return status, found

    def note(self, status: int, headers: Mapping[str, str], found: Any) -> None:
        with self._lock:
            self.statuses[status] += 1
            self.silent_503s += status == 503 and "Retry-After" not in headers
            if status >= 500 and status != 503:
                self.bad.append((status, found))


@contextmanager
def members_at_work(rig: Rig, number: int = 6) -> Iterator[tuple[Witness, Ledger]]:
    """They create, list and delete until the block ends."""
    witness, ledger = Witness(rig.cloud), Ledger()
    server = {"flavorRef": rig.cloud.flavor, "imageRef": rig.cloud.image, "networks": "none"}
    members = [Member(one, 1, witness.call, server, ledger, 1, 0.05) for one in range(number)]
    for member in members:
        member.start()
    try:
        time.sleep(1)
        yield witness, ledger
    finally:
        for member in members:
            member.ended.set()
        for member in members:
            member.join(90)


def assert_nothing_twice(rig: Rig, ledger: Ledger, before: int) -> None:
    """One row for each create that was promised; at most one more for each without an answer."""
    rows = rig.books.ask("SELECT COUNT(*) FROM instances_instance")[0][0] - before
    assert len(ledger.created) <= rows <= len(ledger.created) + len(ledger.unknown)


def assert_promises_kept(rig: Rig, ledger: Ledger) -> None:
    """Every 202 became a server, every 204 its end; what got no answer is done or not, never half."""
    cloud = rig.cloud
    for server in ledger.created.keys() - ledger.deleted - ledger.unknown_deletes:
        cloud.wait_status(server, "ACTIVE")
    for server in ledger.deleted:
        cloud.wait_status(server, "gone")
    for one in cloud.get(f"{SERVERS}?limit=1000")["servers"]:
        cloud.delete(one["id"])
        cloud.wait_status(one["id"], "gone")
    cloud.assert_balanced()


def disturbances(rig: Rig) -> list[Callable[[], None]]:
    if not isinstance(rig.stores, PostgresRabbit):
        return [lambda: rig.stores.disturb_database(AWAY_S)]
    database, line = rig.stores.database, rig.stores.to_database

    def restart() -> None:
        database.stop("fast")
        database.start()

    def cut() -> None:
        line.cut(reset=True)
        time.sleep(AWAY_S / 2)
        line.heal()

    return [restart, cut, lambda: rig.stores.disturb_database(1.0)]


@pytest.mark.row("F23")
def test_away_under_load(rig: Rig) -> None:
    for disturb in disturbances(rig):
        before = rig.books.ask("SELECT COUNT(*) FROM instances_instance")[0][0]
        with members_at_work(rig) as (witness, ledger):
            disturb()
            time.sleep(4)
        assert witness.bad == []
        assert witness.silent_503s == 0
        assert ledger.created, "nothing was asked for: the test shows nothing"
        assert_nothing_twice(rig, ledger, before)
        assert_promises_kept(rig, ledger)


@pytest.mark.row("F26")
def test_many_writers(rig: Rig) -> None:
    """All of them change the same server's metadata and the same quota gates; on SQLite a stranger locks besides."""
    cloud = rig.cloud
    server = cloud.create("busy")
    cloud.wait_status(server, "ACTIVE")
    witness, barrier = Witness(cloud), threading.Barrier(WRITERS)
    ended = threading.Event()

    def write(number: int) -> None:
        barrier.wait()
        for turn in range(3):
            body = {"metadata": {f"key{number % 8}": f"{number}-{turn}"}}
            witness.call("POST", f"{SERVERS}/{server}/metadata", body)
            key = {"keypair": {"name": f"key-{number}-{turn}"}}
            status, _found = witness.call("POST", "/compute/v2.1/os-keypairs", key)
            if status == 200:
                witness.call("DELETE", f"/compute/v2.1/os-keypairs/key-{number}-{turn}")

    def lock() -> None:
        while not ended.is_set():
            rig.stores.disturb_database(0.3)
            ended.wait(0.2)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    if not isinstance(rig.stores, PostgresRabbit):
        writers.append(threading.Thread(target=lock))
    for writer in writers:
        writer.start()
    for writer in writers[:WRITERS]:
        writer.join(240)
    ended.set()
    assert witness.bad == []
    assert witness.statuses[503] <= 0.001 * witness.statuses.total(), witness.statuses
    assert witness.statuses.total() >= 3 * 2 * WRITERS
    cloud.delete(server)
    cloud.wait_status(server, "gone")
    cloud.assert_balanced()
