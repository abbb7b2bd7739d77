"""A server killed with -9 in the middle of an upload: no half image, no bytes, no quota is left behind (F14)."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from tests.support.auth import PROJECT_A

pytestmark = pytest.mark.faults
ROOT = Path(__file__).resolve().parents[2]
SETTLE = """
from datetime import timedelta
from computecloud.core.clock import utcnow
from integrations.images import facade
from integrations.images.models import Image
from operations.models import QuotaGate
import json
facade.sweep()
early = Image.objects.get().status
Image.objects.update(lease_until=utcnow() - timedelta(seconds=1))
facade.sweep()
image, gate = Image.objects.get(), QuotaGate.objects.get(resource="image_bytes")
print(json.dumps([early, image.status, image.md5, image.held_bytes, gate.used]))
"""


class Server:
    """The API in a process of its own, on a socket and a database of its own."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "api.sock"
        self.environment = os.environ | {
            "COMPUTECLOUD_ROLE": "cloud",  # whatever other tests have set in this process
            "COMPUTECLOUD_STATE_DIR": str(folder),
            "COMPUTECLOUD_DATABASE_URL": f"sqlite:///{folder}/cloud.sqlite3",
            "COMPUTECLOUD_SECRET_KEY": "a key for tests only, forty characters long",
            "COMPUTECLOUD_AUTHENTICATOR": "tests.support.auth.authenticate",
            "DJANGO_SETTINGS_MODULE": "computecloud.settings",
        }
        self.manage("migrate", "-v0")
        command = ["-m", "deploy.serve", "computecloud.wsgi:application", "--interface", "wsgi", "--threads", "2"]
        self.process = subprocess.Popen(
            [sys.executable, *command, "--socket", str(self.socket)], cwd=ROOT, env=self.environment
        )

    def manage(self, *arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, check=True, capture_output=True, text=True)
        return done.stdout

    def send(self, request: bytes) -> socket.socket:
        line = socket.socket(socket.AF_UNIX)
        line.settimeout(20)
        until(lambda: line.connect_ex(str(self.socket)) == 0)
        line.sendall(request)
        return line

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path)
    yield running
    running.kill()


def until(true: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def head(method: str, path: str, kind: str, length: int) -> bytes:
    lines = (f"{method} {path} HTTP/1.1", "Host: x", "X-Auth-Token: member-a", f"Content-Type: {kind}")
    return ("\r\n".join([*lines, f"Content-Length: {length}"]) + "\r\n\r\n").encode()


def test_a_killed_server_leaves_nothing_of_an_upload(server: Server, tmp_path: Path) -> None:
    body = json.dumps({"name": "x", "disk_format": "raw", "container_format": "bare"}).encode()
    with server.send(head("POST", "/image/v2/images", "application/json", len(body)) + body) as line:
        answer = HTTPResponse(line)
        answer.begin()
        image: dict[str, Any] = json.loads(answer.read())
        answer.close()
    assert image.get("owner") == PROJECT_A, image

    path = f"/image/v2/images/{image['id']}/file"
    line = server.send(head("PUT", path, "application/octet-stream", 8 * 1024**2) + bytes(3 * 1024**2))
    parts = tmp_path / "images"
    until(lambda: parts.exists() and any(part.stat().st_size >= 2 * 1024**2 for part in parts.iterdir()))
    server.kill()
    line.close()

    settled = json.loads(server.manage("shell", "-v0", "-c", SETTLE).strip().splitlines()[-1])
    assert settled == ["saving", "queued", None, 0, 0]
    assert list(parts.iterdir()) == []
