"""The two pairs of stores a cloud runs on in these tests, each with the same handles for trouble.

``SQLite and Redis`` come with the cloud: its supervisor starts a killed Redis again. ``PostgreSQL and RabbitMQ`` are
private servers reached through fault proxies; whoever kills them starts them again.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import time
import tomllib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import kombu
import redis
from amqp.exceptions import AMQPError

from deploy import cloud as clouds
from deploy import postgres, rabbitmq
from deploy.cloud import free_port
from deploy.supervisor import Supervisor
from tests.support.fault_cloud import FaultCloud, wait_for
from tests.support.proxy import Proxy

SQLITE, POSTGRESQL = "sqlite+redis", "postgresql+rabbitmq"


class Stores(ABC):
    """Database and broker of one cloud. ``stop`` lasts until ``start``; ``kill`` is a crash."""

    name: str
    cloud: FaultCloud

    @property
    @abstractmethod
    def up_options(self) -> list[str]: ...

    @property
    @abstractmethod
    def books_url(self) -> str:
        """Where the database is read from outside, past any proxy."""

    @property
    @abstractmethod
    def broker_url(self) -> str:
        """Where bells are rung by hand, past any proxy."""

    @abstractmethod
    def stop_broker(self) -> None: ...

    @abstractmethod
    def start_broker(self) -> None: ...

    @abstractmethod
    def kill_broker(self) -> None:
        """It is on its way up again when this returns."""

    @abstractmethod
    def wait_for_broker(self) -> None:
        """It is whole again after it was killed."""

    @abstractmethod
    def forget_messages(self) -> None: ...

    @abstractmethod
    def silence_broker(self) -> None:
        """It takes connections and says nothing, until ``start_broker``."""

    @abstractmethod
    def fill_broker(self) -> Callable[[], None]:
        """It takes no message any more, until the answer is called."""

    @abstractmethod
    def disturb_database(self, seconds: float) -> None:
        """It serves nobody who writes, for so long."""


class SqliteRedis(Stores):
    name = SQLITE
    up_options: list[str] = []

    def _supervisor(self) -> Supervisor:
        return Supervisor(clouds.existing(self.cloud.state))

    @property
    def books_url(self) -> str:
        return f"sqlite:///{self.cloud.state}/data/cloud.sqlite3"

    @property
    def broker_url(self) -> str:
        return str(tomllib.loads((self.cloud.state / "etc" / "computecloud.conf").read_text())["broker_url"])

    def stop_broker(self) -> None:
        self._supervisor().stop(["redis"])

    def start_broker(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.cloud.pid("redis"), signal.SIGCONT)
        self._supervisor().start_dead()
        wait_for("Redis", self._answers, 20)

    def _answers(self) -> bool:
        try:
            return self.cloud.redis("PING") == "PONG"
        except subprocess.CalledProcessError:
            return False

    def kill_broker(self) -> None:
        self.cloud.kill("redis")

    def wait_for_broker(self) -> None:
        wait_for("Redis answers", self._answers)

    def _answers(self) -> bool:
        with contextlib.suppress(subprocess.CalledProcessError, AssertionError, OSError):
            return self.cloud.redis("PING") == "PONG"
        return False

    def forget_messages(self) -> None:
        assert self.cloud.redis("FLUSHALL") == "OK"

    def silence_broker(self) -> None:
        os.kill(self.cloud.pid("redis"), signal.SIGSTOP)

    def fill_broker(self) -> Callable[[], None]:
        """To its maxmemory, with things that nobody asked for."""
        line = redis.Redis.from_url(self.broker_url.split("?")[0].replace("redis+socket:", "unix:"))
        names: list[str] = []
        for size in (2**23, 2**20, 2**16, 2**10, 2**10):  # the smaller ones into what larger requests left
            with contextlib.suppress(redis.exceptions.OutOfMemoryError):
                while True:
                    line.set(f"junk{len(names)}", b"x" * size)
                    names.append(f"junk{len(names)}")

        def empty() -> None:
            for start in range(0, len(names), 16):
                line.delete(*names[start : start + 16])
            line.close()

        return empty

    def disturb_database(self, seconds: float) -> None:
        """Another program holds the write lock."""
        line = sqlite3.connect(self.books_url.removeprefix("sqlite:///"), isolation_level=None, timeout=30)
        try:
            line.execute("BEGIN EXCLUSIVE")
            time.sleep(seconds)
            line.execute("ROLLBACK")
        finally:
            line.close()


class PostgresRabbit(Stores):
    name = POSTGRESQL

    def __init__(
        self, database: postgres.Server, broker: rabbitmq.Server, to_database: Proxy, to_broker: Proxy
    ) -> None:
        self.database, self.broker, self.to_database, self.to_broker = database, broker, to_database, to_broker

    @property
    def up_options(self) -> list[str]:
        database = self.database.url.replace(f":{self.database.port}/", f":{self.to_database.port}/")
        broker = self.broker.url.replace(f":{self.broker.port}/", f":{self.to_broker.port}/")
        return ["--database", database, "--broker", broker]

    @property
    def books_url(self) -> str:
        return self.database.url

    @property
    def broker_url(self) -> str:
        return self.broker.url

    def stop_broker(self) -> None:
        self.to_broker.cut(reset=True)

    def start_broker(self) -> None:
        self.to_broker.heal()
        if self.broker.pid is None:
            self.broker.start()

    def kill_broker(self) -> None:
        self.broker.kill()
        self.broker.start(wait=False)

    def wait_for_broker(self) -> None:
        """RabbitMQ 3.10 now and then comes back from kill -9 with a quorum queue that has no leader: nobody can consume
        from it until the node is started once more. The cloud lives on its pollers meanwhile.
        """
        for _start in range(5):
            self.broker.wait()
            if self._lets_consumers_in():
                return
            self.broker.kill()
            self.broker.start()
        raise AssertionError("RabbitMQ has a queue without a leader after five starts")

    def _lets_consumers_in(self) -> bool:
        patience = {"on_open": lambda line: line.transport.sock.settimeout(15)}
        try:
            with kombu.Connection(self.broker.url, transport_options=patience) as line:
                channel = line.channel()
                for queue in self._queues():
                    channel.basic_consume(queue, no_ack=False, callback=lambda _message: None, consumer_tag=queue)
                    channel.basic_cancel(queue)
        except (OSError, AMQPError):
            return False
        return True

    def forget_messages(self) -> None:
        """Purge every queue."""
        with kombu.Connection(self.broker.url) as line:
            channel = line.channel()
            for queue in self._queues():
                with contextlib.suppress(Exception):
                    channel.queue_purge(queue)

    def _queues(self) -> list[str]:
        hosts = [line.split('"')[1] for path in self.cloud.state.glob("data/identities/*/identity.toml")
                 for line in path.read_text().splitlines() if line.startswith("uuid")]  # fmt: skip
        return ["control", *(f"host.{uuid}" for uuid in hosts), *(f"host.{uuid}.ctl" for uuid in hosts)]

    def silence_broker(self) -> None:
        self.to_broker.silence()

    def fill_broker(self) -> Callable[[], None]:
        """Its memory alarm goes off: whoever publishes is held up."""
        self.broker.control("set_vm_memory_high_watermark", "absolute", "1")
        return lambda: self.broker.control("set_vm_memory_high_watermark", "0.4")

    def disturb_database(self, seconds: float) -> None:
        """Killed, and away for so long."""
        self.database.kill()
        time.sleep(seconds)
        self.database.start()


@contextmanager
def sqlite_redis() -> Iterator[SqliteRedis]:
    yield SqliteRedis()


@contextmanager
def postgres_rabbit() -> Iterator[PostgresRabbit]:
    with (
        # Not the fast one: without synchronous_commit a killed server forgets what it promised.
        postgres.running(fast=False, port=free_port()) as database,
        rabbitmq.server() as broker,
        Proxy(database.port) as to_database,
        Proxy(broker.port) as to_broker,
    ):
        yield PostgresRabbit(database, broker, to_database, to_broker)


OPENERS = {SQLITE: sqlite_redis, POSTGRESQL: postgres_rabbit}
