"""A host that cannot reach the conductor: its guests run on, nothing new starts, nothing is removed, all goes on after.

``COMPUTECLOUD_TEST_LONG=1`` cuts it off for ten minutes instead of seconds, and on both pairs of stores.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.faults.conftest import FaultCloud, Rig, wait_for
from tests.support.proxy import Proxy
from tests.support.stores import POSTGRESQL, SQLITE

LONG = bool(os.environ.get("COMPUTECLOUD_TEST_LONG"))
CUT_S = 600.0 if LONG else 12.0
# What is cut is the line to the conductor, of which the stores behind it know nothing: the short form runs on one pair.
STORES = [SQLITE, POSTGRESQL] if LONG else [SQLITE]

pytestmark = [pytest.mark.faults, pytest.mark.parametrize("rig", STORES, indirect=True)]


@contextmanager
def by_way_of_a_proxy(rig: Rig) -> Iterator[Proxy]:
    """The agent reaches the conductor through it; in the end as before."""
    files = sorted(rig.cloud.state.glob("data/identities/*/identity.toml"))
    before = {path: path.read_text() for path in files}
    port = int(re.findall(r'conductor_url = "http://[^:]+:(\d+)', before[files[0]])[0])
    with Proxy(port) as line:
        for path, text in before.items():
            path.write_text(text.replace(f":{port}", f":{line.port}"))
        try:
            start_anew(rig)
            wait_for("the agent's calls", lambda: line.passed > 0)
            yield line
        finally:
            for path, text in before.items():
                path.write_text(text)
            start_anew(rig)


def start_anew(rig: Rig) -> None:
    """The agent reads its files again."""
    since = time.time()
    rig.cloud.kill("compute@fake")
    rig.wait_for_agent(since)


def on_disk(cloud: FaultCloud) -> dict[str, list[dict[str, Any]]]:
    return {guest: cloud.guest_files(guest) for guest in cloud.guests()}


@pytest.mark.row("F24")
@pytest.mark.parametrize("how", ["cut", "silence"])
def test_cut_off_from_the_conductor(rig: Rig, how: str) -> None:
    cloud = rig.cloud
    kept, doomed = cloud.create("kept"), cloud.create("doomed")
    for server in (kept, doomed):
        cloud.wait_status(server, "ACTIVE")
    with by_way_of_a_proxy(rig) as line:
        line.cut(reset=True) if how == "cut" else line.silence()
        before = on_disk(cloud)
        late = cloud.create("late")
        cloud.delete(doomed)
        until = time.monotonic() + CUT_S
        while time.monotonic() < until:
            assert on_disk(cloud) == before, "a host changed its guests without a word from the conductor"
            time.sleep(0.5)
        assert cloud.status(late) in ("BUILD", "ERROR")
        line.heal()
        cloud.wait_status(late, "ACTIVE")
        cloud.wait_status(doomed, "gone")
        assert cloud.guest_files(kept) == before[kept]
    for server in (kept, late):
        cloud.delete(server)
        cloud.wait_status(server, "gone")
    cloud.assert_balanced()
