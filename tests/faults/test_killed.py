"""Real processes killed with -9 in the middle of things, and a broker that forgets: nothing is lost, nothing left over.

The compute worker dies before and after the change of each step of a build and of a delete; its supervisor restarts it.
"""

from __future__ import annotations

import time

import pytest

from tests.faults.conftest import FaultCloud, wait_for

pytestmark = pytest.mark.faults

BUILD = ("fetch_images", "make_disks", "config_drive", "plug_ports", "define", "start")
DELETE = ("stop", "undefine", "unplug_ports", "remove_disks")


def killed_at(cloud: FaultCloud, step: str, when: str) -> int:
    """Arm one kill and say who will die."""
    victim = cloud.pid("compute@fake")
    cloud.arm({step: {"raise": "kill", "count": 1, "when": when}})
    return victim


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", BUILD)
def test_a_build_survives_its_worker(fault_cloud: FaultCloud, step: str, when: str) -> None:
    victim = killed_at(fault_cloud, step, when)
    server = fault_cloud.create(f"killed-{step}-{when}")
    fault_cloud.wait_status(server, "ACTIVE")
    assert fault_cloud.pid("compute@fake") != victim, "the worker was not killed: the test shows nothing"
    fault_cloud.arm({})
    fault_cloud.assert_balanced()
    fault_cloud.delete(server)
    fault_cloud.wait_status(server, "gone")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", DELETE)
def test_a_delete_survives_its_worker(fault_cloud: FaultCloud, step: str, when: str) -> None:
    server = fault_cloud.create(f"dying-{step}-{when}")
    fault_cloud.wait_status(server, "ACTIVE")
    victim = killed_at(fault_cloud, step, when)
    fault_cloud.delete(server)
    fault_cloud.wait_status(server, "gone")
    wait_for("a new worker", lambda: fault_cloud.pid("compute@fake") != victim)
    fault_cloud.arm({})
    fault_cloud.assert_balanced()


def test_a_broker_that_forgets_loses_nothing(fault_cloud: FaultCloud) -> None:
    servers = []
    for number in range(20):
        servers.append(fault_cloud.create(f"flushed-{number}"))
        if number % 4 == 3:
            assert fault_cloud.redis("FLUSHALL") == "OK"
    for server in servers:
        fault_cloud.wait_status(server, "ACTIVE")
    fault_cloud.assert_balanced()
    for server in servers:
        fault_cloud.delete(server)
    for server in servers:
        fault_cloud.wait_status(server, "gone")
    fault_cloud.assert_balanced()


@pytest.mark.parametrize("name", ["redis", "api", "conductor", "control", "compute@fake"])
def test_any_process_may_die_under_load(fault_cloud: FaultCloud, name: str) -> None:
    first = [fault_cloud.create(f"before-{name}-{number}") for number in range(5)]
    fault_cloud.kill(name)
    time.sleep(0.05)
    wait_for("the API", lambda: fault_cloud.call("GET", "/identity/v3")[0] == 200)
    second = [fault_cloud.create(f"after-{name}-{number}") for number in range(3)]
    for server in first + second:
        fault_cloud.wait_status(server, "ACTIVE")
    for server in first + second:
        fault_cloud.delete(server)
    for server in first + second:
        fault_cloud.wait_status(server, "gone")
    fault_cloud.assert_balanced()
