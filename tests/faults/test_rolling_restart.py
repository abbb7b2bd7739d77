"""Every process of a cloud is restarted, one by one, while members create, look and delete: no request fails (F47).

``COMPUTECLOUD_TEST_RESTART_ROUNDS=20`` runs as many rounds as the row asks for; three are enough for every change.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
import urllib3

from deploy.cloud import CHECKOUT
from tests.faults.conftest import FaultCloud, wait_for

pytestmark = pytest.mark.faults
ROUNDS = int(os.environ.get("COMPUTECLOUD_TEST_RESTART_ROUNDS", "3"))
MEMBERS = 3
MOST_UNAVAILABLE = 0.001  # of all requests: 503 with Retry-After
LONGEST_S = 30.0  # a request may wait; on a busy machine a process takes its time to load


@dataclass
class Load:
    """Members who create, list and delete without a pause, over connections that they keep. Nothing is retried."""

    cloud: FaultCloud
    answers: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    servers: set[str] = field(default_factory=set)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.threads = [threading.Thread(target=self._member, args=(number,)) for number in range(MEMBERS)]

    def __enter__(self) -> Load:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_problem: object) -> None:
        self._stop.set()
        for thread in self.threads:
            thread.join()

    def _member(self, number: int) -> None:
        line = urllib3.PoolManager(maxsize=1, retries=False, timeout=60.0)
        count = 0
        while not self._stop.is_set():
            count += 1
            wish = {"name": f"member-{number}-{count}", "flavorRef": self.cloud.flavor, "imageRef": self.cloud.image,
                    "networks": "none"}  # fmt: skip
            made = self._ask(line, "POST", "/compute/v2.1/servers", {"server": wish})
            self._ask(line, "GET", "/compute/v2.1/servers/detail?limit=20")
            self._ask(line, "GET", "/image/v2/images")
            if made is not None:
                self.servers.add(made["server"]["id"])
                self._ask(line, "GET", f"/compute/v2.1/servers/{made['server']['id']}")
                if count % 3:  # every third lives until the end
                    self._ask(line, "DELETE", f"/compute/v2.1/servers/{made['server']['id']}")
                else:
                    time.sleep(0.2)

    def _ask(self, line: urllib3.PoolManager, method: str, path: str, body: Any = None) -> Any:
        headers = {"X-Auth-Token": self.cloud.token, "OpenStack-API-Version": "compute 2.90"}
        data = None if body is None else json.dumps(body).encode()
        began = time.monotonic()
        try:
            answer = line.request(
                method, self.cloud.url + path, body=data, headers=headers | {"Content-Type": "application/json"}
            )
        except urllib3.exceptions.HTTPError as problem:
            self.failures.append(f"{method} {path}: {problem!r}")
            return None
        self.waits.append(time.monotonic() - began)
        self.answers[answer.status] += 1
        if answer.status in (200, 202, 204):
            return json.loads(answer.data) if answer.data else {}
        if answer.status == 403 and b"uota" in answer.data:
            self.make_room(line)
        elif answer.status != 503:
            self.failures.append(f"{method} {path}: {answer.status} {answer.data[:200]!r}")
        return None

    def make_room(self, line: urllib3.PoolManager) -> None:
        """The quota is used up: an old server goes."""
        if self.servers:
            self._ask(line, "DELETE", f"/compute/v2.1/servers/{self.servers.pop()}")


def restart_all(cloud: FaultCloud) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("COMPUTECLOUD_", "DJANGO_"))}
    done = subprocess.run(
        [sys.executable, "-m", "deploy", "restart", "--state", str(cloud.state)], cwd=CHECKOUT, timeout=600,
        env=kept | {"PYTHONPATH": str(CHECKOUT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def servers_of(cloud: FaultCloud, which: str = "") -> list[dict[str, Any]]:
    """A page of them, a thousand at most."""
    found: list[dict[str, Any]] = cloud.get(f"/compute/v2.1/servers/detail?{which}")["servers"]
    return found


def ids_of(cloud: FaultCloud) -> set[str]:
    return {one["id"] for one in cloud.get("/compute/v2.1/servers")["servers"]}


def test_a_rolling_restart_fails_no_request(fault_cloud: FaultCloud) -> None:
    before = {name: fault_cloud.pid(name) for name in ("api", "conductor", "control", "compute@fake", "redis", "beat")}
    with Load(fault_cloud) as load:
        for _round in range(ROUNDS):
            restart_all(fault_cloud)
    after = {name: fault_cloud.pid(name) for name in before}
    asked = sum(load.answers.values())
    print(f"{ROUNDS} rounds, {asked} requests, {dict(load.answers)}, longest {max(load.waits):.2f} s")  # noqa: T201

    assert [name for name in before if before[name] == after[name]] == [], "these were not restarted"
    assert load.failures == []
    assert load.answers[503] <= MOST_UNAVAILABLE * asked, load.answers
    assert max(load.waits) < LONGEST_S
    assert asked > 100, "too little load to show anything"

    wait_for("all settled", lambda: not servers_of(fault_cloud, "status=BUILD"))
    # One agent stands for all simulated hosts: while it restarts there is no other host, and servers wait for it.
    assert [one["fault"] for one in servers_of(fault_cloud, "status=ERROR")] == []
    while some := servers_of(fault_cloud):
        for one in some:
            fault_cloud.delete(one["id"])
        wait_for("these are gone", lambda some=some: not {one["id"] for one in some} & ids_of(fault_cloud))
    fault_cloud.assert_balanced()
