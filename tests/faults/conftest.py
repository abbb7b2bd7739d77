"""Clouds of real processes for these tests; what they can do stands in ``tests.support.fault_cloud``."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from deploy.cloud import free_port
from tests.support.fault_cloud import CHECKOUT, PATIENCE_S, FaultCloud, wait_for

__all__ = ["CHECKOUT", "PATIENCE_S", "FaultCloud", "wait_for"]


@pytest.fixture(scope="session")
def fault_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultCloud]:
    state = tmp_path_factory.mktemp("cc") / "s"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COMPUTECLOUD_")}
    command = [str(CHECKOUT / "cloud")]
    port = free_port()
    try:
        up = subprocess.run(
            [*command, "up", "--fake", "3", "--state", str(state), "--port", str(port)],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert up.returncode == 0, up.stdout[-3000:] + up.stderr[-3000:]
        yield FaultCloud(state, port)
    finally:
        subprocess.run([*command, "down", "--purge", "--state", str(state)], env=environment, check=False)
