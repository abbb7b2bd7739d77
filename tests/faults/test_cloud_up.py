"""`./cloud` as its user knows it, with simulated hosts: up, look, break, up again, down."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from deploy import cloud, credentials, pids
from deploy.client import Client, WrongPassword
from deploy.cloud import CHECKOUT, Cloud, Wish, free_port
from tests.support import listeners

pytestmark = pytest.mark.faults
MOST_MIB = 450


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A command as a shell would start it: nothing of the tests' own settings leaks into the cloud."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("COMPUTECLOUD_", "DJANGO_"))
    }
    return subprocess.run(
        [sys.executable, "-m", "deploy", *arguments],
        cwd=CHECKOUT,
        env=environment | {"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def one() -> Iterator[Cloud]:
    state = Path(f"/tmp/cc-test-up-{os.getpid()}")
    done = run("up", "--fake", "2", "--state", str(state), "--port", str(free_port()))
    assert done.returncode == 0, done.stdout + done.stderr
    yield cloud.existing(state)
    run("down", "--purge", "--state", str(state))
    shutil.rmtree(state, ignore_errors=True)


def running(one: Cloud) -> dict[str, int]:
    found = {name: pids.find(one.run, name) for name in pids.names(one.run)}
    return {name: process.pid for name, process in found.items() if process}


def up(one: Cloud) -> str:
    done = run("up", "--state", str(one.state))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def client(one: Cloud, who: str = "demo") -> Client:
    secrets = credentials.ensure(one.state)
    password = {"demo": secrets.demo_password, "admin": secrets.admin_password}[who]
    return Client(one.local_url, who, password, trust=one.trust)


def soon(look: Callable[[], Any], seconds: float = 30) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
    return found


def boot(one: Cloud, name: str) -> dict[str, Any]:
    demo = client(one)
    image = demo.get("/image/v2/images?name=bench-image")["images"][0]["id"]
    wish = {"name": name, "flavorRef": "bench", "imageRef": image, "networks": "none"}
    server_id = demo.post("/compute/v2.1/servers", {"server": wish})["server"]["id"]

    def settled() -> Any:
        server = demo.get(f"/compute/v2.1/servers/{server_id}")["server"]
        return server if server["status"] != "BUILD" else None

    found: dict[str, Any] = soon(settled)
    return found


def test_a_server_boots(one: Cloud) -> None:
    assert boot(one, "first")["status"] == "ACTIVE"


def test_a_changed_password_is_told_at_once(one: Cloud) -> None:
    with pytest.raises(WrongPassword, match=r"not the one in secrets\.toml.*as demo_password"):
        Client(one.local_url, "demo", "another", trust=one.trust).get("/compute/v2.1/servers")


@pytest.mark.parametrize("options", [["--fake", "0"], ["--fake=-3"], ["--port", "99999"], ["--port", "x"]])
def test_what_cannot_be_is_refused_before_anything_is_made(tmp_path: Path, options: list[str]) -> None:
    done = run("up", "--state", str(tmp_path / "state"), *options)
    assert done.returncode == 2 and "is no number from 1 to" in done.stderr
    assert not (tmp_path / "state").exists()


def test_no_backup_goes_where_no_folder_is_and_none_comes_from_something_else(one: Cloud, tmp_path: Path) -> None:
    done = run("backup", str(tmp_path / "nowhere" / "x"), "--state", str(one.state))
    assert done.returncode == 1 and "There is no folder" in done.stderr
    done = run("restore", "/etc/passwd", "--state", f"/tmp/cc-no-{tmp_path.name[:20]}")
    assert done.returncode == 1 and "is no backup of a cloud" in done.stderr


def test_a_second_up_changes_nothing_and_takes_seconds(one: Cloud) -> None:
    before, began = running(one), time.monotonic()
    told = up(one)
    assert time.monotonic() - began < 15
    assert running(one) == before
    assert "restarted" not in told and "seeded" not in told


def test_all_of_it_is_small_and_well(one: Cloud) -> None:
    done = run("status", "--json", "--state", str(one.state))
    told = json.loads(done.stdout)
    assert told["well"], told
    assert all(row["since_s"] > 0 for row in told["processes"] if row["name"] == "supervisor")
    assert sum(row["pss_mib"] for row in told["processes"]) <= MOST_MIB, told["processes"]
    assert {row["name"] for row in told["processes"]} >= {
        "api",
        "conductor",
        "control",
        "compute@fake",
        "beat",
        "flower",
    }


@pytest.mark.row("S53")
def test_s53_without_tls_nothing_but_loopback_is_listened_on(one: Cloud) -> None:
    assert listeners.of(one) == {f"tcp 127.0.0.1:{one.wish.port}", f"tcp 127.0.0.1:{one.wish.conductor_port}"}


def test_other_machines_are_let_in_by_tls_only(one: Cloud) -> None:
    done = run("up", "--hosts-listen", "192.0.2.1", "--state", str(one.state))
    assert done.returncode == 1 and "needs --tls" in done.stderr


def test_the_doctor_finds_nothing_wrong(one: Cloud) -> None:
    done = run("doctor", "--state", str(one.state))
    assert done.returncode == 0, done.stdout


def test_secrets_are_for_their_owner_only(one: Cloud) -> None:
    private = ["secrets.toml", "clouds.yaml", "etc/computecloud.conf", "etc/redis.conf", "data/cloud.sqlite3"]
    assert one.state.stat().st_mode & 0o077 == 0
    assert [name for name in private if (one.state / name).stat().st_mode & 0o077] == []
    lines = [Path(f"/proc/{pid}/cmdline").read_bytes().decode() for pid in running(one).values()]
    secrets = vars(credentials.ensure(one.state)).values()
    assert [line for line in lines if any(secret in line for secret in secrets)] == []


def test_env_is_what_a_shell_can_evaluate(one: Cloud) -> None:
    told = run("env", "admin", "--state", str(one.state)).stdout
    shown = subprocess.run(
        ["/bin/sh", "-c", f'{told}\necho "$OS_AUTH_URL $OS_USERNAME"'], capture_output=True, text=True
    )
    assert shown.stdout.split() == [f"{one.public_url}/identity/v3", "admin"]


def test_flower_shows_the_workers_to_the_administrator(one: Cloud) -> None:
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    form = browser.open(f"{one.local_url}/admin/login/", timeout=20).read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
    assert token
    password = credentials.ensure(one.state).admin_password
    body = urlencode({"csrfmiddlewaretoken": token[1], "username": "admin", "password": password, "next": "/flower/"})
    request = urllib.request.Request(f"{one.local_url}/admin/login/", body.encode())
    request.add_header("Referer", f"{one.local_url}/admin/login/")
    assert "Flower" in browser.open(request, timeout=20).read().decode()

    def workers() -> bool:
        rows = json.loads(browser.open(f"{one.local_url}/flower/workers?json=1", timeout=20).read())["data"]
        return {row["hostname"] for row in rows} >= {"control@cloud", "compute@fake"}

    soon(workers, 60)


@pytest.mark.parametrize("victims", ["everything but the supervisor", "everything", "the supervisor"])
def test_after_kill_9_of_anything_up_heals(one: Cloud, victims: str) -> None:
    found = running(one)
    chosen = {
        "everything but the supervisor": [name for name in found if name != "supervisor"],
        "everything": list(found),
        "the supervisor": ["supervisor"],
    }[victims]
    for name in chosen:
        os.kill(found[name], signal.SIGKILL)
    up(one)
    assert set(running(one)) == set(found)
    assert boot(one, victims.replace(" ", "-"))["status"] == "ACTIVE"
    told = json.loads(run("status", "--json", "--state", str(one.state)).stdout)
    assert [row["name"] for row in told["processes"] if row["state"] not in ("RUNNING", "STARTING")] == []


def test_hosts_can_be_added_but_not_taken_away(one: Cloud) -> None:
    assert run("up", "--fake", "1", "--state", str(one.state)).returncode == 1
    assert run("up", "--fake", "3", "--state", str(one.state)).returncode == 0
    rows = client(one, "admin").get("/compute/v2.1/os-services?binary=nova-compute")["services"]
    assert [row["state"] for row in rows] == ["up"] * 3


def test_no_simulated_cloud_is_made_of_a_real_one() -> None:
    real = Cloud(Path(f"/tmp/cc-test-kind-{os.getpid()}"), Wish())  # sockets below it need a short path
    try:
        real.make_folders()
        real.save()
        done = run("up", "--fake", "1", "--state", str(real.state))
    finally:
        shutil.rmtree(real.state, ignore_errors=True)
    assert done.returncode == 1
    assert "holds a cloud of real hosts. Use another --state" in done.stderr


def test_down_ends_just_what_up_started(tmp_path: Path) -> None:
    state = Path(f"/tmp/cc-test-down-{os.getpid()}")
    try:
        assert run("up", "--fake", "1", "--state", str(state), "--port", str(free_port())).returncode == 0
        mine = running(cloud.existing(state))
        with subprocess.Popen(["/bin/sleep", "1000"]) as other:
            assert run("down", "--state", str(state)).returncode == 0
            assert [name for name, pid in mine.items() if pids.start_time(pid)] == []
            assert other.poll() is None
            other.kill()
        assert (state / "data" / "cloud.sqlite3").exists()
        assert run("down", "--purge", "--state", str(state)).returncode == 0
        assert not state.exists()
    finally:
        run("down", "--purge", "--state", str(state))
