"""Clouds of real processes for these tests; what they can do stands in ``tests.support.fault_cloud``."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.cloud import free_port
from tests.support.bells import Bells
from tests.support.books import Books
from tests.support.fault_cloud import CHECKOUT, PATIENCE_S, FaultCloud, wait_for
from tests.support.stores import OPENERS, POSTGRESQL, SQLITE, Stores

__all__ = ["CHECKOUT", "PATIENCE_S", "FaultCloud", "Rig", "wait_for"]


@contextmanager
def brought_up(state: Path, options: Sequence[str] = ()) -> Iterator[FaultCloud]:
    """A cloud with three simulated hosts; gone in the end."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COMPUTECLOUD_")}
    command = [str(CHECKOUT / "cloud")]
    port = free_port()
    try:
        up = subprocess.run(
            [*command, "up", "--fake", "3", "--state", str(state), "--port", str(port), *options],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert up.returncode == 0, up.stdout[-3000:] + up.stderr[-3000:]
        yield FaultCloud(state, port)
    finally:
        subprocess.run([*command, "down", "--purge", "--state", str(state)], env=environment, check=False)


@pytest.fixture(scope="session")
def fault_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultCloud]:
    with brought_up(tmp_path_factory.mktemp("cc") / "s") as cloud:
        yield cloud


@dataclass
class Rig:
    """A cloud together with its stores, so that trouble can be made in them."""

    cloud: FaultCloud
    stores: Stores
    books: Books
    bells: Bells

    def wait_for_agent(self, since: float) -> None:
        """Until the fake hosts' agent has registered after that moment (seconds since 1970)."""

        def registered() -> bool:
            rows = self.books.try_ask(
                "SELECT MIN(registered_at) FROM hosts_agent WHERE id IN (SELECT agent_id FROM hosts_host)"
            )
            return bool(rows) and self.books.moment(rows[0][0]) > since

        wait_for("the agent", registered)

    def admin(self) -> FaultCloud:
        """The same cloud, asked by its administrator."""
        one = copy(self.cloud)
        one.login("admin")
        return one


@pytest.fixture(scope="session", params=[SQLITE, POSTGRESQL])
def rig(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """The same tests on both pairs of stores."""
    with OPENERS[request.param]() as stores:
        if request.param == SQLITE:
            yield from _rig(request.getfixturevalue("fault_cloud"), stores)
            return
        with brought_up(tmp_path_factory.mktemp("cc") / "s", stores.up_options) as cloud:
            yield from _rig(cloud, stores)


def _rig(cloud: FaultCloud, stores: Stores) -> Iterator[Rig]:
    stores.cloud = cloud
    bells = Bells(stores.broker_url)
    yield Rig(cloud, stores, Books(stores.books_url), bells)
    bells.close()
