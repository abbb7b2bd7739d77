"""One running cloud for all attacks, furnished with a thing of each kind, and the people who try them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

from deploy.cloud import CHECKOUT, free_port
from tests.support.auth import PEOPLE
from tests.support.client import Person
from tests.support.running import RunningCloud, without_settings
from tests.support.tenant import Things

PASSWORD = "a password for the people of these tests"


class Everybody:
    """Those of ``tests.support.client.Cloud``, with tokens from a real login."""

    def __init__(self, running: RunningCloud) -> None:
        self.as_admin = running.admin()
        self.as_member = self._of_project(running, "member-a")
        self.as_reader = self._of_project(running, "reader-a")
        self.as_manager = self._of_project(running, "manager-a")
        self.as_other = self._of_project(running, "member-b")
        self.as_other_reader = self._of_project(running, "reader-b")
        self.anonymous = running.nobody()
        self.with_bad_token = Person("no-such-token", client=running.wire)

    def _of_project(self, running: RunningCloud, name: str) -> Person:
        return running.person(name, PASSWORD, PEOPLE[name][0])


class RunningTenant(Things):
    """What ``furnish`` made in the running cloud."""

    def __init__(self, running: RunningCloud) -> None:
        config = running.state / "etc" / "computecloud.conf"
        done = subprocess.run(
            [sys.executable, "-m", "tests.attack.furnish", PASSWORD], cwd=CHECKOUT, capture_output=True, text=True,
            env=without_settings() | {
                "COMPUTECLOUD_CONFIG": str(config), "COMPUTECLOUD_AUTHENTICATOR": "tests.support.auth.authenticate",
            },
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        made = json.loads(done.stdout)
        super().__init__(Everybody(running))
        self.values = {(before, name): value for before, name, value in made["values"]}
        self.owned = {(before, name) for before, name in made["owned"]}
        self.by_version = {((before, name), (x, y)): value for before, name, x, y, value in made["by_version"]}


def tiny_server(person: Person) -> dict[str, Any]:
    """The body of a small server that this person may have, without a network."""
    image = person.get("/image/v2/images?name=bench-image").json()["images"][0]["id"]
    flavors = person.get("/compute/v2.1/flavors").json()["flavors"]
    flavor = next(one["id"] for one in flavors if one["name"] == "bench.tiny")
    return {"name": "x", "flavorRef": flavor, "imageRef": image, "networks": "none"}


@pytest.fixture(scope="session")
def running() -> Iterator[RunningCloud]:
    state = Path(mkdtemp(prefix="cc-attack-"))
    command = [str(CHECKOUT / "cloud")]
    port = free_port()
    try:
        up = subprocess.run(
            [*command, "up", "--fake", "3", "--state", str(state), "--port", str(port)],
            env=without_settings(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert up.returncode == 0, up.stdout[-3000:] + up.stderr[-3000:]
        cloud = RunningCloud(state, port)
        yield cloud
        cloud.close()
    finally:
        subprocess.run([*command, "down", "--purge", "--state", str(state)], env=without_settings(), check=False)
        shutil.rmtree(state, ignore_errors=True)


@pytest.fixture(scope="session")
def tenant(running: RunningCloud) -> RunningTenant:
    return RunningTenant(running)
