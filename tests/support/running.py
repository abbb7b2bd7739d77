"""A running cloud of real processes, brought up by ``./cloud up --fake``, as anybody with a socket meets it.

Everything goes through the front; only the proofs look behind it: the database file, the broker, the logs.
"""

from __future__ import annotations

import http.client
import json
import os
import sqlite3
import subprocess
import threading
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import redis

from deploy.cloud import CHECKOUT
from tests.support.client import Person
from tests.support.fault_cloud import wait_for

__all__ = ["TOKENS", "Answer", "RunningCloud", "Wire", "at_once", "wait_for", "without_settings"]
TOKENS = "/identity/v3/auth/tokens"
T = TypeVar("T")


class Answer:
    """An HTTP answer that reads like Django's."""

    streaming = False

    def __init__(self, status: int, headers: http.client.HTTPMessage, content: bytes, seconds: float) -> None:
        self.status_code = status
        self.headers = headers
        self.content = content
        self.seconds = seconds
        """From the first byte sent to the last one read."""

    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def text(self) -> str:
        return self.content.decode(errors="replace")


class Wire:
    """Speaks HTTP to one origin, a kept connection per thread. Paths and headers go out as they are given.

    ``source``: the loopback address to come from; the throttle of logins counts by it.
    """

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        self.port, self.source = port, source
        self._mine = threading.local()
        self._all: list[http.client.HTTPConnection] = []

    def _connection(self) -> http.client.HTTPConnection:
        kept: http.client.HTTPConnection | None = getattr(self._mine, "connection", None)
        if kept is None:
            kept = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60, source_address=(self.source, 0))
            self._mine.connection = kept
            self._all.append(kept)
        return kept

    def close(self) -> None:
        """Close the connections of all threads; the next request makes new ones."""
        for one in self._all:
            one.close()

    def generic(
        self,
        method: str,
        path: str,
        data: bytes = b"",
        content_type: str = "application/octet-stream",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request. A connection that the front closed meanwhile is made anew, once."""
        sent = dict(headers or {})
        if data:
            sent.setdefault("Content-Type", content_type)
        for is_last in (False, True):
            connection, began = self._connection(), time.monotonic()
            try:
                connection.request(method, path, body=data or None, headers=sent)
                found = connection.getresponse()
                content = found.read()
                return Answer(found.status, found.headers, content, time.monotonic() - began)
            except (http.client.RemoteDisconnected, ConnectionError):
                connection.close()
                if is_last:
                    raise
            except Exception:
                connection.close()
                raise
        raise AssertionError("not reached")


class RunningCloud:
    """Its people, and what lies behind its front."""

    def __init__(self, state: Path, port: int) -> None:
        self.state, self.port = state, port
        self.secrets: dict[str, str] = tomllib.loads((state / "secrets.toml").read_text())
        self.wire = Wire(port)
        self._wires = {self.wire.source: self.wire}

    def close(self) -> None:
        for wire in self._wires.values():
            wire.close()

    # --- people

    def from_address(self, source: str) -> Wire:
        """The way in from another loopback address."""
        return self._wires.setdefault(source, Wire(self.port, source))

    def login(self, name: str, password: str, scope: Any = None, wire: Wire | None = None) -> Answer:
        user = {"name": name, "domain": {"id": "default"}, "password": password}
        identity = {"methods": ["password"], "password": {"user": user}}
        body = {"auth": {"identity": identity, **({"scope": scope} if scope else {})}}
        return Person(None, client=wire or self.wire).post(TOKENS, body)  # type: ignore[no-any-return]

    def person(self, name: str, password: str, project: str, version: str | None = None) -> Person:
        """Somebody with a token for a project, named by its id or by its name in the default domain."""
        by_name = {"name": project, "domain": {"id": "default"}}
        scope = {"project": {"id": project} if len(project) == 32 else by_name}
        answer = self.login(name, password, scope)
        assert answer.status_code == 201, answer.content
        return Person(answer.headers["X-Subject-Token"], version, self.wire)

    def admin(self) -> Person:
        return self.person("admin", self.secrets["admin_password"], "admin")

    def demo(self) -> Person:
        return self.person("demo", self.secrets["demo_password"], "demo")

    def nobody(self, source: str = "127.0.0.1") -> Person:
        return Person(None, client=self.from_address(source))

    # --- behind the front

    def pid(self, name: str) -> int:
        return int((self.state / "run" / f"{name}.pid").read_text())

    def memory_kib(self, name: str) -> int:
        """Resident memory of a process and of those it started."""
        pids, total = [self.pid(name)], 0
        for pid in pids:
            total += next(
                int(line.split()[1]) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmRSS" in line
            )
            pids += [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return total

    def logs(self) -> Iterator[tuple[str, str]]:
        """(file, text) of whatever any process wrote."""
        for path in sorted((self.state / "log").iterdir()):
            yield path.name, path.read_text(errors="replace")

    @contextmanager
    def database(self) -> Iterator[sqlite3.Connection]:
        """Its database, to read."""
        connection = sqlite3.connect(f"file:{self.state}/data/cloud.sqlite3?mode=ro", uri=True, timeout=20)
        try:
            yield connection
        finally:
            connection.close()

    def tables(self) -> list[str]:
        with self.database() as connection:
            return [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]

    def row_counts(self) -> dict[str, int]:
        names = self.tables()
        with self.database() as connection:
            return {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}

    def stored(self) -> Iterator[tuple[str, str]]:
        """(table.column, value) of everything in the database that is text or bytes."""
        for table in self.tables():
            with self.database() as connection:
                rows = connection.execute(f'SELECT * FROM "{table}"')
                columns = [one[0] for one in rows.description]
                for row in rows:
                    for column, value in zip(columns, row, strict=True):
                        if isinstance(value, str | bytes):
                            text = value.decode(errors="replace") if isinstance(value, bytes) else value
                            yield f"{table}.{column}", text

    def broker(self) -> redis.Redis:
        """Its Redis, as the cloud's own processes reach it."""
        return redis.Redis(
            unix_socket_path=str(self.state / "run" / "redis.sock"), password=self.secrets["broker_password"]
        )

    def settings(self, name: str = "computecloud") -> dict[str, Any]:
        """A settings file of the product, as ``up`` wrote it."""
        return tomllib.loads((self.state / "etc" / f"{name}.conf").read_text())

    def manage(self, *words: str) -> subprocess.CompletedProcess[str]:
        """``manage.py`` as the cloud's own processes see it."""
        environment = without_settings() | {"COMPUTECLOUD_CONFIG": str(self.state / "etc" / "computecloud.conf")}
        return subprocess.run(
            [str(CHECKOUT / ".venv" / "bin" / "python"), "manage.py", *words],
            cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip


def without_settings() -> dict[str, str]:
    """This process's environment without the tests' own settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("COMPUTECLOUD_", "DJANGO_"))}


def at_once(count: int, act: Callable[[int], T]) -> list[T]:
    """What ``act(0..count-1)`` gave, all called at the same moment from threads of their own."""
    gate = threading.Barrier(count)

    def one(number: int) -> T:
        gate.wait(30)
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))
