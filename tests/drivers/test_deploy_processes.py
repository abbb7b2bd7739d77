"""The supervisor and the front with real processes: what is killed comes back, what is ours is ended, and only that."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import down, front, pids, supervisor
from deploy.cloud import Cloud, Wish, free_port
from deploy.processes import Process
from deploy.processes import front as front_process
from deploy.progress import Progress

pytestmark = pytest.mark.faults
SLEEP = ["/bin/sleep", "1000"]


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Cloud]:
    made = Cloud(Path("/tmp") / f"cc-test-{tmp_path.name[-20:]}-{os.getpid()}", Wish(fake=1, port=free_port()))
    made.make_folders()
    yield made
    supervisor.Supervisor(made).shut_down(frozenset())
    supervisor.end_orphans(made)
    shutil.rmtree(made.state)


def launch(one: Cloud, *processes: Process) -> supervisor.Supervisor:
    supervisor.write_config(one, processes)
    keeper = supervisor.Supervisor(one)
    keeper.launch()
    supervisor.wait_until(lambda: all(pids.find(one.run, p.name) for p in processes), 10, "did not start")
    return keeper


def pid_of(one: Cloud, name: str) -> int:
    found = pids.find(one.run, name)
    assert found is not None, f"{name} does not run"
    return found.pid


def came_back(one: Cloud, name: str, old: int) -> None:
    def look() -> bool:
        found = pids.find(one.run, name)
        return found is not None and found.pid != old

    supervisor.wait_until(look, 10, f"{name} did not come back")


def test_a_killed_process_comes_back(one: Cloud) -> None:
    launch(one, Process("a", SLEEP))
    old = pid_of(one, "a")
    os.kill(old, signal.SIGKILL)
    came_back(one, "a", old)


def test_what_a_killed_supervisor_leaves_is_found_and_ended(one: Cloud) -> None:
    launch(one, Process("a", SLEEP), Process("b", SLEEP))
    stray = pid_of(one, "a")
    os.kill(pid_of(one, supervisor.NAME), signal.SIGKILL)
    supervisor.wait_until(lambda: pids.find(one.run, supervisor.NAME) is None, 5, "the supervisor lives")
    assert pid_of(one, "a") == stray
    assert not supervisor.Supervisor(one).answers()
    assert sorted(supervisor.end_orphans(one)) == ["a", "b"]
    assert pids.start_time(stray) is None


def test_a_pid_file_of_somebody_else_is_not_believed(one: Cloud) -> None:
    with subprocess.Popen(SLEEP) as stranger:
        (one.run / "a.pid").write_text(f"{stranger.pid}\n")
        (one.run / "a.stat").write_text(Path(f"/proc/{os.getpid()}/stat").read_text())
        assert pids.find(one.run, "a") is None
        assert supervisor.end_orphans(one) == []
        assert stranger.poll() is None
        stranger.kill()


def test_only_changed_processes_are_restarted(one: Cloud) -> None:
    keeper = launch(one, Process("same", SLEEP), Process("other", SLEEP), Process("old", SLEEP))
    same, other = pid_of(one, "same"), pid_of(one, "other")
    supervisor.write_config(one, [Process("same", SLEEP), Process("other", SLEEP, {"A": "1"}), Process("new", SLEEP)])
    assert keeper.reload() == (["new"], ["other"], ["old"])
    came_back(one, "other", other)
    assert pid_of(one, "same") == same
    supervisor.wait_until(lambda: pids.find(one.run, "new") is not None, 5, "new did not start")
    assert pids.find(one.run, "old") is None


def test_down_ends_everything_and_leaves_no_pid_file(one: Cloud) -> None:
    launch(one, Process("a", SLEEP))
    a = pid_of(one, "a")
    down.stop_services(one, Progress())
    assert pids.start_time(a) is None
    assert pids.names(one.run) == []


# ---------------------------------------------------------------- the front

UPSTREAM = """
import json, socketserver, sys
from http.server import BaseHTTPRequestHandler
class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do(self):
        size = 0
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            while n := int(self.rfile.readline(), 16):
                size += len(self.rfile.read(n)); self.rfile.readline()
            self.rfile.readline()
        else:
            left = int(self.headers.get("Content-Length") or 0)
            while left: got = self.rfile.read(min(left, 65536)); left -= len(got); size += len(got)
        status = {"yes": 204, "user": 403}.get(self.headers.get("Cookie", ""), 401)
        if "auth-check" not in self.path: status = 200
        seen = {"path": self.path, "size": size, "headers": dict(self.headers)}
        body = b"" if status == 204 else json.dumps(seen).encode()
        self.send_response(status); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    do_GET = do_POST = do_PUT = do
    def address_string(self): return "-"
    def log_message(self, *_): pass
class Server(socketserver.ThreadingUnixStreamServer): daemon_threads = True; request_queue_size = 128
Server(sys.argv[1], Echo).serve_forever()
"""


@pytest.fixture
def origin(one: Cloud) -> Iterator[Cloud]:
    """A front whose API, console and Flower answer with what they were sent."""
    front.write_config(one, has_console=True)
    (one.static / "a.css").write_text("body {}")
    (one.state / "echo.py").write_text(UPSTREAM)
    echoes = [
        Process(name, [sys.executable, f"{one.state}/echo.py", f"{one.run}/{name}.sock"])
        for name in ("api", "console", "flower")
    ]
    launch(one, *echoes, front_process(one))

    def listening() -> bool:
        with socket.socket() as probe:
            up = probe.connect_ex(("127.0.0.1", one.wish.port)) == 0
        return up and all((one.run / f"{name}.sock").exists() for name in ("api", "console", "flower"))

    supervisor.wait_until(listening, 10, "no front")
    yield one


def ask(one: Cloud, method: str, path: str, body: object = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
    line = http.client.HTTPConnection("127.0.0.1", one.wish.port, timeout=10)
    try:
        line.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})  # type: ignore[arg-type]
        answer = line.getresponse()
        return answer.status, dict(answer.headers), answer.read()
    finally:
        line.close()


def test_forged_identity_never_reaches_the_api(origin: Cloud) -> None:
    forged = {
        "X-Roles": "admin",
        "X-User-Id": "1",
        "X-Project-Id": "2",
        "Remote-User": "admin",
        "X-Is-Admin-Project": "True",
        "X_Roles": "admin",
        "X-Forwarded-For": "10.9.8.7",
        "X-Auth-Token": "mine",
    }
    line = http.client.HTTPConnection("127.0.0.1", origin.wish.port, timeout=10)
    line.request("GET", "/compute/v2.1/servers?x=1", headers=forged)
    seen = json.loads(line.getresponse().read())
    line.close()
    assert seen["path"] == "/compute/v2.1/servers?x=1"
    names = {name.lower() for name in seen["headers"]}
    assert not names & {"x-roles", "x-user-id", "x-project-id", "remote-user", "x-is-admin-project", "x_roles"}
    assert seen["headers"]["X-Auth-Token"] == "mine"
    assert seen["headers"]["X-Forwarded-For"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/compute/v2.1/servers", "overLimit"),
        ("/identity/v3/auth/tokens", "error"),
        ("/network/v2.0/ports", "NeutronError"),
        ("/image/v2/images", "message"),
        ("/placement/allocations", "errors"),
    ],
)
def test_a_large_body_is_refused_in_the_services_own_words(origin: Cloud, path: str, key: str) -> None:
    status, headers, body = ask(origin, "POST", path, b"x" * 300_000, Content_Type="application/json")
    assert status == 413
    assert key in json.loads(body)
    assert headers["X-OpenStack-Request-Id"].startswith("req-")


def test_image_bytes_stream_through_without_a_limit(origin: Cloud) -> None:
    path = "/image/v2/images/0b9bb0a7-6d3c-4d3f-a7c1-9a5bb1f0e2d3/file"
    status, _, body = ask(origin, "PUT", path, b"x" * 3_000_000)
    assert (status, json.loads(body)["size"]) == (200, 3_000_000)
    status, _, body = ask(origin, "PUT", path, iter([b"y" * 100_000] * 20))
    assert (status, json.loads(body)["size"]) == (200, 2_000_000)
    assert ask(origin, "PUT", "/image/v2/images/x", b"x" * 300_000)[0] == 413


def test_the_conductor_cannot_be_reached(origin: Cloud) -> None:
    for path in (
        "/conductor",
        "/conductor/v1/take",
        "//conductor/v1/take",
        "/compute/../conductor/v1/take",
        "/%63onductor/v1",
    ):
        assert ask(origin, "POST", path, b"{}")[0] == 404, path


def test_flower_is_for_administrators_and_read_only(origin: Cloud) -> None:
    status, headers, _ = ask(origin, "GET", "/flower/")
    assert (status, headers["Location"]) == (302, "/admin/login/?next=/flower/")
    assert ask(origin, "GET", "/flower/", Cookie="user")[0] == 403
    status, _, body = ask(origin, "GET", "/flower/workers", Cookie="yes")
    assert (status, json.loads(body)["path"]) == (200, "/flower/workers")
    assert ask(origin, "POST", "/flower/api/task/revoke/1", b"", Cookie="yes")[0] == 403


def test_the_front_comes_back_although_its_worker_outlived_it(origin: Cloud) -> None:
    old = pid_of(origin, "front")
    os.kill(old, signal.SIGKILL)
    came_back(origin, "front", old)
    supervisor.wait_until(lambda: _status_or_none(origin, "/compute/") == 200, 5, "it does not answer")
    assert supervisor.front_strays(origin) == []


def test_a_stray_worker_of_the_front_is_ended_with_the_orphans(origin: Cloud) -> None:
    os.kill(pid_of(origin, supervisor.NAME), signal.SIGKILL)
    os.kill(pid_of(origin, "front"), signal.SIGKILL)
    supervisor.wait_until(lambda: bool(supervisor.front_strays(origin)), 5, "no stray")
    assert "a worker of front" in supervisor.end_orphans(origin)
    assert _status_or_none(origin, "/") is None


def test_static_files_are_files_only(origin: Cloud) -> None:
    assert ask(origin, "GET", "/static/a.css")[0] == 200
    for path in (
        "/static",
        "/static/",
        "/static/../secrets.toml",
        "/static/..%2fsecrets.toml",
        "//evil.example/%2e%2e",
        "/static//",
    ):
        status, headers, _ = ask(origin, "GET", path)
        assert "Location" not in headers, path
        assert status in (200, 400, 404), path


def test_the_admin_is_hidden_from_strange_addresses(origin: Cloud) -> None:
    assert ask(origin, "GET", "/admin/")[0] == 200
    strict = Cloud(origin.state, Wish(fake=1, port=origin.wish.port, admin_networks=["192.0.2.0/24"]))
    front.write_config(strict, has_console=True)
    old = pid_of(origin, "front")
    supervisor.Supervisor(origin).restart(["front"])
    came_back(origin, "front", old)
    supervisor.wait_until(lambda: _status_or_none(origin, "/admin/") == 404, 5, "still seen")


def _status_or_none(one: Cloud, path: str) -> int | None:
    try:
        return ask(one, "GET", path)[0]
    except OSError:
        return None


def test_while_the_api_is_away_the_front_says_so_in_json(origin: Cloud) -> None:
    (origin.run / "api.sock").unlink()
    status, headers, body = ask(origin, "GET", "/compute/v2.1/servers")
    assert status == 503
    assert json.loads(body)["serviceUnavailable"]["code"] == 503
    assert headers["Retry-After"]


def test_a_websocket_is_handed_to_the_console(origin: Cloud) -> None:
    _, _, body = ask(origin, "GET", "/console/websockify?token=t", Connection="Upgrade", Upgrade="websocket")
    seen = json.loads(body)["headers"]
    assert (seen["Upgrade"], seen["Connection"]) == ("websocket", "upgrade")
    logs = "".join(path.read_text() for path in origin.log.glob("*.log"))
    assert "token=t" not in logs


def test_many_at_once(origin: Cloud) -> None:
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(ask(origin, "GET", "/compute/")[0])) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [200] * 20
