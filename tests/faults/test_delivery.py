"""Messages come twice, five at once, late, in the wrong order: the operation's row decides what happens."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.faults.conftest import Rig, wait_for

pytestmark = pytest.mark.faults

SERVERS = "/compute/v2.1/servers"


@contextmanager
def frozen(rig: Rig, name: str) -> Iterator[None]:
    """A process that is there and does nothing."""
    pid = rig.cloud.pid(name)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def operation(rig: Rig, server: str, verb: str) -> tuple[str, str, int, str]:
    """Id, queue, attempt and state of a server's operation."""
    query = "SELECT id, queue, attempt, state FROM operations_operation WHERE subject_id = ? AND verb = ?"
    rows = rig.books.ask(query, server, verb)
    assert len(rows) == 1, rows
    return rows[0]


def on_its_host(rig: Rig, server: str, verb: str) -> tuple[str, str, int, str]:
    """The operation, once it is dispatched to a host."""
    wait_for("dispatch", lambda: operation(rig, server, verb)[1].startswith("host."))
    return operation(rig, server, verb)


def boots(rig: Rig, server: str) -> list[int]:
    """How often the guest was started, one number for each host that has it."""
    return [guest.get("boots", 0) for guest in rig.cloud.guest_files(server)]


def attempts(rig: Rig, operation_id: str) -> set[int]:
    rows = rig.books.ask("SELECT attempt FROM operations_step WHERE operation_id = ?", operation_id)
    return {row[0] for row in rows}


def gone(rig: Rig, server: str) -> None:
    rig.cloud.delete(server)
    rig.cloud.wait_status(server, "gone")
    rig.cloud.assert_balanced()


@pytest.mark.row("F34")
def test_again_while_its_work_is_running(rig: Rig) -> None:
    """The first run hangs in a step and holds its lease; what comes meanwhile drops out."""
    cloud = rig.cloud
    cloud.arm({"start": {"raise": "hang", "seconds": 4, "count": 1}})
    server = cloud.create("again")
    wait_for("the first run", lambda: operation(rig, server, "create")[3] == "running")
    found, queue, attempt, _state = operation(rig, server, "create")
    assert attempt == 1
    rig.bells.ring(queue, "server.create", found, 0, times=3)  # redelivered as it was
    rig.bells.ring(queue, "server.create", found, 1, times=3)  # and as somebody would ring now
    time.sleep(2)
    assert operation(rig, server, "create")[2:] == (1, "running"), "a second run began while the first one worked"
    cloud.wait_status(server, "ACTIVE")
    cloud.arm({})
    assert boots(rig, server) == [1]
    gone(rig, server)


@pytest.mark.row("F35")
def test_five_at_once(rig: Rig) -> None:
    with frozen(rig, "compute@fake"):
        server = rig.cloud.create("five")
        found, queue, attempt, _state = on_its_host(rig, server, "create")
        rig.bells.ring(queue, "server.create", found, attempt, times=5)
    rig.cloud.wait_status(server, "ACTIVE")
    assert attempts(rig, found) == {1}
    assert boots(rig, server) == [1]
    gone(rig, server)


@pytest.mark.row("F36")
def test_an_hour_late(rig: Rig) -> None:
    """As far as a row can tell, late is late: the server was stopped, started and deleted since."""
    cloud = rig.cloud
    server = cloud.create("late")
    cloud.wait_status(server, "ACTIVE")
    for action, status in (("os-stop", "SHUTOFF"), ("os-start", "ACTIVE")):
        assert cloud.call("POST", f"{SERVERS}/{server}/action", {action: None})[0] == 202
        cloud.wait_status(server, status)
    old = {verb: operation(rig, server, verb) for verb in ("create", "stop", "start")}
    for verb, (found, queue, attempt, _state) in old.items():
        for late in range(attempt + 1):
            rig.bells.ring(queue, f"server.{verb}", found, late)
    queue = old["create"][1]
    wait_for("late bells taken", lambda: rig.bells.waiting(queue) == 0)
    time.sleep(1)
    assert cloud.status(server) == "ACTIVE"
    gone(rig, server)
    for verb, (found, queue, attempt, _state) in old.items():
        for late in range(attempt + 1):
            rig.bells.ring(queue, f"server.{verb}", found, late)
    wait_for("late bells taken", lambda: rig.bells.waiting(queue) == 0)
    time.sleep(1)
    assert {verb: operation(rig, server, verb) for verb in old} == old
    assert cloud.guest_files(server) == []
    cloud.assert_balanced()


@pytest.mark.row("F37")
def test_out_of_order(rig: Rig) -> None:
    cloud = rig.cloud
    server = cloud.create("order")
    cloud.wait_status(server, "ACTIVE")
    with frozen(rig, "compute@fake"):
        rig.stores.stop_broker()  # nobody hears anything until all of it is accepted
        assert cloud.call("POST", f"{SERVERS}/{server}/action", {"os-stop": None})[0] == 202
        refused = {
            name: cloud.call("POST", f"{SERVERS}/{server}/action", {name: body})[0]
            for name, body in (("os-start", None), ("reboot", {"type": "HARD"}))
        }
        assert set(refused.values()) == {409}, "a server with an open operation took another one"
        cloud.delete(server)
        rig.stores.start_broker()
        deletion, stop = (operation(rig, server, verb) for verb in ("delete", "stop"))
        rig.bells.ring(deletion[1], "server.delete", deletion[0], deletion[2])
        rig.bells.ring(stop[1], "server.stop", stop[0], stop[2])
        rig.bells.ring(deletion[1], "server.delete", deletion[0], deletion[2])
    cloud.wait_status(server, "gone")
    assert operation(rig, server, "stop")[3] == "superseded"
    wait_for("the deletion's end", lambda: operation(rig, server, "delete")[3] == "succeeded")
    cloud.assert_balanced()
