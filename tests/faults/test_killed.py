"""Real processes killed with -9 in the middle of things, and a broker that forgets: nothing is lost, nothing left over.

In a cloud that `./cloud up` made, with its own supervisor. What happens at each single point is ``matrix``'s matter.
"""

from __future__ import annotations

import time

import pytest

from tests.faults.conftest import FaultCloud, wait_for

pytestmark = pytest.mark.faults


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
