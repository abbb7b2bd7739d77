"""One machine's clock is an hour off, or jumps: leases, liveness and tokens do not care (F41).

The process really sees another time: libfaketime answers its calls. Only the compute host's: it has no database, and
the database's clock is the one that counts.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy import cloud as clouds
from deploy.supervisor import Supervisor, config_file
from tests.faults.conftest import FaultCloud, Rig, wait_for

pytestmark = pytest.mark.faults


def library() -> Path:
    """The threads' form: the other one is not safe in a process with several."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    assert found, "libfaketime is not installed: apt-get install -y --no-install-recommends faketime"
    return found[0]


@contextmanager
def clock_of(rig: Rig, name: str, shift: str) -> Iterator[None]:
    """The supervised process starts anew and sees a time that is off by ``shift``; in the end it is well again."""
    cloud = rig.cloud
    one = clouds.existing(cloud.state)
    path, keeper = config_file(one), Supervisor(one)
    before = path.read_text()
    head, _mark, rest = before.partition(f"[program:{name}]\n")
    wrong = f'environment=LD_PRELOAD="{library()}",FAKETIME="{shift}",FAKETIME_DONT_FAKE_MONOTONIC="1",'
    changed = f"{head}[program:{name}]\n{rest.replace('environment=', wrong, 1)}"
    assert changed != before

    def start_anew(text: str) -> None:
        old, since = cloud.pid(name), time.time()
        path.write_text(text)
        assert keeper.reload()[1] == [name]
        wait_for(f"another {name}", lambda: cloud.pid(name) != old)
        if name == "compute@fake":
            rig.wait_for_agent(since)
        wait_for("the API", lambda: cloud.call("GET", "/identity/v3")[0] == 200)

    try:
        start_anew(changed)
        yield
    finally:
        start_anew(before)


def preloads(cloud: FaultCloud, name: str) -> bool:
    return "libfaketime" in Path(f"/proc/{cloud.pid(name)}/maps").read_text()


def assert_all_is_well(rig: Rig, admin: FaultCloud, name: str) -> None:
    services = admin.get("/compute/v2.1/os-services?binary=nova-compute")["services"]
    assert {row["state"] for row in services} == {"up"}, "a wrong clock took hosts down"
    server = rig.cloud.create(f"clock-{name}")
    rig.cloud.wait_status(server, "ACTIVE")
    rig.cloud.delete(server)
    rig.cloud.wait_status(server, "gone")
    rows = rig.books.ask("SELECT attempt, state FROM operations_operation WHERE subject_id = ?", server)
    assert [row[0] for row in rows] == [1, 1], f"a lease was lost to a clock: {rows}"


def lives_with(rig: Rig, name: str, shift: str) -> None:
    cloud, admin = rig.cloud, rig.admin()
    with clock_of(rig, name, shift):
        assert preloads(cloud, name)
        wait_for("the API", lambda: cloud.call("GET", "/compute/v2.1/servers")[0] == 200)  # an older token
        cloud.login()  # and a new one
        assert_all_is_well(rig, admin, f"{name}{shift}".replace("@", "-"))
    assert_all_is_well(rig, admin, f"{name}-jumped-back".replace("@", "-"))  # with tokens of the other time
    cloud.assert_balanced()


@pytest.mark.row("F41")
@pytest.mark.parametrize("shift", ["+1h", "-1h"])
def test_a_compute_host_is_an_hour_off(rig: Rig, shift: str) -> None:
    lives_with(rig, "compute@fake", shift)
