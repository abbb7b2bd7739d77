"""Database and broker of the matrix: SQLite with its own Redis, or a private PostgreSQL and RabbitMQ."""

from __future__ import annotations

import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import kombu

from deploy import postgres, rabbitmq
from tests.support.stores import POSTGRESQL, SQLITE

REDIS_STARTS_S = 30.0
MANY_CONNECTIONS = ("-c", "max_connections=200")  # each cell's own thread and process has one


class Broker(ABC):
    """``stop`` is a crash; ``start`` waits until it answers."""

    url: str

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def stop(self) -> None: ...

    @abstractmethod
    def forget(self, queues: Sequence[str]) -> None:
        """Everything that waits in it; ``queues`` are all that there are."""


class Redis(Broker):
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"redis+socket://{folder}/redis.sock?virtual_host=0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = ["redis-server", "--port", "0", "--unixsocket", str(self.folder / "redis.sock"), "--save", "",
                   "--appendonly", "no", "--dir", str(self.folder), "--maxmemory-policy", "noeviction"]  # fmt: skip
        with (self.folder / "log" / "redis").open("ab") as out:
            self._process = subprocess.Popen(command, stdout=out, stderr=out)
        until = time.monotonic() + REDIS_STARTS_S
        while self._say("PING") != "PONG":
            assert time.monotonic() < until, "Redis does not start"
            time.sleep(0.05)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def forget(self, queues: Sequence[str]) -> None:
        self._say("FLUSHALL")

    def _say(self, *words: str) -> str:
        command = ["redis-cli", "-s", str(self.folder / "redis.sock"), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


class Rabbit(Broker):
    def __init__(self, server: rabbitmq.Server) -> None:
        self.server, self.url = server, server.url

    def start(self) -> None:
        if self.server.pid is None:  # a second one would take over its pid file, and then fail
            self.server.start()

    def stop(self) -> None:
        self.server.kill()

    def forget(self, queues: Sequence[str]) -> None:
        with kombu.Connection(self.url) as line:
            for queue in queues:
                with suppress(*line.channel_errors):  # nobody has listened there yet
                    line.channel().queue_purge(queue)


@dataclass(frozen=True)
class Stores:
    """``broker`` is started by the rig."""

    database_url: str
    broker: Broker


@contextmanager
def opened(name: str, folder: Path) -> Iterator[Stores]:
    """One of the two pairs; what it started is gone in the end."""
    if name == SQLITE:
        redis = Redis(folder)
        try:
            yield Stores(f"sqlite:///{folder}/cloud.sqlite3", redis)
        finally:
            redis.stop()
        return
    assert name == POSTGRESQL, name
    with postgres.server(options=MANY_CONNECTIONS) as database_url, rabbitmq.server() as server:
        yield Stores(database_url, Rabbit(server))
