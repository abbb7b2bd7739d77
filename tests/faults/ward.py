"""A simulated cloud on a disk of its own, whose faults are seeded by hand and found by ``./cloud doctor``."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from computecloud.core.finding import Finding
from deploy import cloud, credentials, doctor, pids
from deploy.client import Client
from deploy.cloud import CHECKOUT, Cloud, free_port
from deploy.supervisor import Supervisor

# A cloud that notices sooner, so that its faults need not be waited for.
SETTINGS = """\
heartbeat_s = 1
host_down_after_s = 15
reconcile_s = 2
canary_s = 2
consumer_stale_s = 600
"""
PATIENCE_S = 90.0
EXPECTED_NOTES = {"process.young", "machine.space", "machine.kvm"}


def cloud_command(*words: str) -> subprocess.CompletedProcess[str]:
    """``./cloud``, with nothing of the tests' own settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("COMPUTECLOUD_", "DJANGO_"))}
    return subprocess.run(
        [sys.executable, "-m", "deploy", *words], cwd=CHECKOUT, env=kept | {"PYTHONPATH": str(CHECKOUT)},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


class Ward:
    """Where the patient lies: ask the doctor, do what the remedy says, reach what an API does not."""

    def __init__(self, state: Path, *options: str) -> None:
        self.state = state
        state.mkdir(mode=0o700, exist_ok=True)
        (state / "settings.toml").write_text(SETTINGS)
        self.does("./cloud up", *options, "--port", str(free_port()))
        self._known_well = False

    @property
    def cloud(self) -> Cloud:
        return cloud.existing(self.state)

    # --- the doctor

    def findings(self) -> list[Finding]:
        return list(doctor.examine(self.cloud))

    def finds(self, code: str) -> Finding:
        """The doctor's finding of that code, once what was seeded has had its effect."""
        until = time.monotonic() + PATIENCE_S
        while True:
            found = self.findings()
            for finding in found:
                if finding.code == code and finding.level != "well":
                    self._known_well = False
                    return finding
            assert time.monotonic() < until, f"no {code} among {[one for one in found if one.level != 'well']}"
            time.sleep(0.3)

    def is_well(self) -> None:
        """Nothing is wrong, and no note but those of any young cloud on a small machine."""
        until = time.monotonic() + PATIENCE_S
        while not self._known_well:
            ill = [one for one in self.findings() if one.level != "well" and one.code not in EXPECTED_NOTES]
            self._known_well = not ill
            assert self._known_well or time.monotonic() < until, ill
            time.sleep(0 if self._known_well else 0.3)

    # --- remedies

    def does(self, command: str, *words: str) -> str:
        """A ``./cloud`` command, as a remedy writes it."""
        done = cloud_command(*command.split()[1:], *words, "--state", str(self.state))
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    # --- seeding

    @property
    def supervisor(self) -> Supervisor:
        return Supervisor(self.cloud)

    def pid(self, name: str) -> int:
        found = pids.find(self.cloud.run, name)
        assert found is not None, f"{name} does not run"
        return found.pid

    def sql(self, statement: str, *values: Any) -> int:
        """The careless hand in the database."""
        with closing(sqlite3.connect(self.cloud.data / "cloud.sqlite3", timeout=20)) as line, line:
            return line.execute(statement, values).rowcount

    def one(self, question: str, *values: Any) -> Any:
        with closing(sqlite3.connect(self.cloud.data / "cloud.sqlite3", timeout=20)) as line:
            return line.execute(question, values).fetchone()[0]

    def client(self, who: str = "admin") -> Client:
        secrets = credentials.ensure(self.state)
        passwords = {"admin": secrets.admin_password, "demo": secrets.demo_password}
        return Client(self.cloud.local_url, who, passwords[who], trust=self.cloud.trust)

    def server(self, name: str) -> str:
        """Id of a new server that runs."""
        demo = self.client("demo")
        image = demo.get("/image/v2/images?name=bench-image")["images"][0]["id"]
        wish = {"name": name, "flavorRef": "bench", "imageRef": image, "networks": "none"}
        server_id = str(demo.post("/compute/v2.1/servers", {"server": wish})["server"]["id"])
        until = time.monotonic() + PATIENCE_S
        while (status := demo.get(f"/compute/v2.1/servers/{server_id}")["server"]["status"]) != "ACTIVE":
            assert status == "BUILD", status
            assert time.monotonic() < until, "it does not boot"
            time.sleep(0.1)
        return server_id

    def guests(self) -> Path:
        """The folder of the first simulated host's guests."""
        [folder] = self.cloud.data.glob("agent-fake/hosts/fake0001/guests")
        return folder


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system of its own at ``folder``, in memory. Needs root."""
    folder.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "none", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()
