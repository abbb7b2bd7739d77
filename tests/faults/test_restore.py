"""A backup meets hosts that lived on: guests are adopted, nothing is started twice, nothing is reaped (F25)."""

from __future__ import annotations

import json
import os
import shutil
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.cloud import free_port
from tests.faults.conftest import wait_for
from tests.faults.ward import Ward, cloud_command

pytestmark = pytest.mark.faults
HOSTS_OWN = "agent-fake"  # guests, disks, journal, identity: what would be on other machines


@pytest.fixture
def ward() -> Iterator[Ward]:
    state = Path(f"/tmp/cc-restore-{os.getpid()}")
    try:
        yield Ward(state, "--fake", "2")
    finally:
        cloud_command("down", "--purge", "--state", str(state))
        shutil.rmtree(state, ignore_errors=True)


def guest(ward: Ward, server_id: str) -> dict[str, object]:
    """What its host holds of a guest; empty when nothing."""
    for path in ward.cloud.data.glob(f"agent-fake/hosts/*/guests/{server_id}.json"):
        found: dict[str, object] = json.loads(path.read_text().splitlines()[0])
        return found
    return {}


def status(ward: Ward, server_id: str) -> str:
    return str(ward.client("demo").get(f"/compute/v2.1/servers/{server_id}")["server"]["status"])


def lose_everything_but_the_hosts(ward: Ward) -> None:
    ward.does("./cloud down")
    for path in ward.state.iterdir():
        if path.name == "data":
            for inner in path.iterdir():
                if inner.name != HOSTS_OWN:
                    shutil.rmtree(inner) if inner.is_dir() else inner.unlink()
        elif path.name != "settings.toml":
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.row("F25")
def test_an_older_backup_meets_newer_guests(ward: Ward, tmp_path: Path) -> None:
    stays, stopped, deleted = (ward.server(name) for name in ("stays", "stopped", "deleted"))
    file = tmp_path / "cloud.tar.gz"
    ward.does("./cloud backup", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert cloud_command("backup", str(file), "--state", str(ward.state)).returncode == 1, "it would overwrite"

    # Given what happened after the backup was made, and a machine that was lost
    demo = ward.client("demo")
    demo.post(f"/compute/v2.1/servers/{stopped}/action", {"os-stop": None})
    demo._send("DELETE", f"/compute/v2.1/servers/{deleted}", None, {"X-Auth-Token": demo.log_in()})
    stranger = ward.server("stranger")
    wait_for("stopped", lambda: status(ward, stopped) == "SHUTOFF")
    wait_for("deleted", lambda: not guest(ward, deleted))
    lose_everything_but_the_hosts(ward)

    # Then the backup comes back, and rows follow guests
    ward.does("./cloud restore", str(file))
    refused = cloud_command("restore", str(file), "--state", str(ward.state))
    assert "an empty cloud only" in refused.stderr
    ward.does("./cloud up", "--port", str(free_port()))
    wait_for("observed", lambda: status(ward, stopped) == "SHUTOFF" and status(ward, deleted) == "ERROR")
    assert status(ward, stays) == "ACTIVE"
    fault = ward.client("demo").get(f"/compute/v2.1/servers/{deleted}")["server"]["fault"]["message"]
    assert "deleted after the backup" in fault

    # and nothing was started, or taken away
    assert (guest(ward, stays)["boots"], guest(ward, stopped)["boots"]) == (1, 1)
    assert guest(ward, stranger)["boots"] == 1
    assert f"{stranger}  unknown guest (running)" in ward.does("./cloud oddities")
    assert any(finding.code == "restoring" for finding in ward.findings())
    refused = cloud_command("restored", "--state", str(ward.state))
    assert f"has guest {stranger} (running), which the backup does not know" in refused.stderr

    # An administrator decides, the mode ends, work goes on
    ward.does("./cloud oddities --remove", stranger)
    ward.does("./cloud restored")
    wait_for("the stranger is removed", lambda: not guest(ward, stranger))
    demo = ward.client("demo")
    demo._send("DELETE", f"/compute/v2.1/servers/{deleted}", None, {"X-Auth-Token": demo.log_in()})
    fresh = ward.server("fresh")
    assert guest(ward, fresh)["boots"] == 1
    assert guest(ward, stays)["boots"] == 1
    ward.is_well()


def test_what_is_no_backup_is_refused(tmp_path: Path) -> None:
    state = Path(f"/tmp/cc-no-backup-{os.getpid()}")  # sockets below it need a short path
    for name in ("../outside", "etc/computecloud.conf", "images/../../x"):
        file = tmp_path / "bad.tar.gz"
        with tarfile.open(file, "w:gz") as archive:
            (tmp_path / "manifest.json").write_text('{"format": 1, "made_at": "now"}')
            archive.add(tmp_path / "manifest.json", "manifest.json")
            archive.add(tmp_path / "manifest.json", name)
        done = cloud_command("restore", str(file), "--state", str(state))
        assert done.returncode == 1
        assert "does not belong into a backup" in done.stderr
    assert not (tmp_path / "outside").exists()
