"""A whole simulated cloud of real processes, brought up by ``./cloud up --fake``, and a member who talks HTTP to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
PATIENCE_S = 120.0


def wait_for(what: str, ready: Callable[[], Any], seconds: float = PATIENCE_S) -> Any:
    """Look again and again; the answer, or a failure that says what was waited for."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = ready()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds:.0f} s: {what}")


class FaultCloud:
    """Speaks the API; kills processes; reads the fake hosts' disks."""

    def __init__(self, state: Path, port: int, image: str = "bench-image", flavor: str = "bench.tiny") -> None:
        self.state = state
        self.url = f"http://127.0.0.1:{port}"
        self.secrets = tomllib.loads((state / "secrets.toml").read_text())
        self.login()
        self.image = self.get(f"/image/v2/images?name={image}")["images"][0]["id"]
        flavors = self.get("/compute/v2.1/flavors")["flavors"]
        self.flavor = next(one["id"] for one in flavors if one["name"] == flavor)

    # --- the API

    def login(self, who: str = "demo") -> None:
        """As ``demo`` or ``admin``, in the project of that name."""
        user = {"name": who, "domain": {"id": "default"}, "password": self.secrets[f"{who}_password"]}
        body = {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": {"name": who, "domain": {"id": "default"}}},
            }
        }
        request = urllib.request.Request(
            f"{self.url}/identity/v3/auth/tokens", json.dumps(body).encode(), method="POST"
        )
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=30) as answer:
            self.token = str(answer.headers["X-Subject-Token"])

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        status, _headers, found = self.ask(method, path, body)
        return status, found

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, str], Any]:
        """Status, headers and body, whatever the status is."""
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data, method=method)
        request.add_header("X-Auth-Token", self.token)
        request.add_header("OpenStack-API-Version", "compute 2.90")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
                return answer.status, answer.headers, json.loads(text) if text else None
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.headers, json.loads(refused.read() or b"null")

    def get(self, path: str) -> Any:
        status, body = self.call("GET", path)
        assert status == 200, (path, status, body)
        return body

    def create(self, name: str) -> str:
        server = {"name": name, "flavorRef": self.flavor, "imageRef": self.image, "networks": "none"}
        status, body = self.call("POST", "/compute/v2.1/servers", {"server": server})
        assert status == 202, body
        return str(body["server"]["id"])

    def delete(self, server_id: str) -> None:
        status, body = self.call("DELETE", f"/compute/v2.1/servers/{server_id}")
        assert status in (204, 404), body

    def status(self, server_id: str) -> str:
        code, body = self.call("GET", f"/compute/v2.1/servers/{server_id}")
        return "gone" if code == 404 else str(body["server"]["status"])

    def wait_status(self, server_id: str, wanted: str) -> None:
        def there() -> bool:
            found = self.status(server_id)
            assert wanted == "ERROR" or found != "ERROR", self.get(f"/compute/v2.1/servers/{server_id}")
            return found == wanted

        wait_for(f"{server_id} {wanted}", there)

    # --- the machinery

    def pid(self, name: str) -> int:
        return int((self.state / "run" / f"{name}.pid").read_text())

    def kill(self, name: str) -> None:
        os.kill(self.pid(name), signal.SIGKILL)

    def hosts(self) -> list[Path]:
        """The fake hosts' own folders."""
        return sorted((self.state / "data" / "agent-fake" / "hosts").iterdir())

    def arm(self, fault: dict[str, Any]) -> None:
        """The same faults on every host; {} disarms."""
        for host in self.hosts():
            fresh = host / "faults.json.new"
            fresh.write_text(json.dumps(fault))
            fresh.rename(host / "faults.json")

    def redis(self, *words: str) -> str:
        config = (self.state / "etc" / "redis.conf").read_text()
        facts = dict(line.split(None, 1) for line in config.splitlines() if line and line[0] != "#")
        where = ["-s", facts["unixsocket"].strip('"')]
        password = tomllib.loads((self.state / "secrets.toml").read_text())["broker_password"]
        done = subprocess.run(
            ["redis-cli", *where, "--no-auth-warning", "-a", password, *words],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.strip()

    def manage(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "COMPUTECLOUD_CONFIG": str(self.state / "etc" / "computecloud.conf")}
        for name in ("COMPUTECLOUD_DATABASE_URL", "COMPUTECLOUD_BROKER_URL", "COMPUTECLOUD_STATE_DIR",
                     "COMPUTECLOUD_SECRET_KEY", "COMPUTECLOUD_AUTHENTICATOR"):  # fmt: skip
            environment.pop(name, None)
        return subprocess.run(
            [str(CHECKOUT / ".venv" / "bin" / "python"), "manage.py", *words],
            cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def guest_files(self, guest_id: str) -> list[dict[str, Any]]:
        """What each fake host's file of a guest says."""
        found = []
        for host in self.hosts():
            path = host / "guests" / f"{guest_id}.json"
            if path.exists():
                found.append(json.loads(path.read_text().partition("\n")[0] or "{}"))
        return found

    def guests(self) -> set[str]:
        """Ids of guests that lie on any fake host's disk."""
        return {path.stem for host in self.hosts() for path in (host / "guests").glob("*.json")}

    def assert_balanced(self) -> None:
        """The books agree, and the hosts hold exactly the living servers."""
        alive = {one["id"] for one in self.get("/compute/v2.1/servers")["servers"]}
        wait_for(f"guests {self.guests()} are servers {alive}", lambda: self.guests() == alive, 90)
        audit = self.manage("audit")
        assert audit.returncode == 0, audit.stdout + audit.stderr

