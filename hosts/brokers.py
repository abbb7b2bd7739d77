"""The broker's users: each agent has one of its own, which may consume its hosts' queues and nothing else.

Rows are the truth: a broker that lost its users is told again (``ensure``). Only what a broker checks passwords against
is kept here, never a password.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import structlog
import urllib3
from celery import current_app
from kombu.exceptions import OperationalError

from computecloud.conf import conf
from operations.models.operation import host_queue

log = structlog.get_logger(__name__)
MANY = 50  # an agent with more hosts is named by what all queues of hosts begin with: patterns are matched one by one

BrokerProblem = (OperationalError, OSError, urllib3.exceptions.HTTPError)


def user_name(agent_id: str) -> str:
    return f"agent-{agent_id}"


# --- what a user may do


def redis_rules(verifier: str, host_ids: Sequence[str], worker: str) -> list[str]:
    """ACL SETUSER's words: take from its own queues and ring them (the canary does), publish events, hear and answer
    Flower. Not one key of others.

    Broadcasts of commands (``celery.pidbox``) can be heard, not sent: sending would end every worker.
    """
    queues = [host_queue(one) for one in host_ids] if len(host_ids) <= MANY else ["host."]
    own = [f"~{queue}*" for queue in queues]
    bound = [f"%W~_kombu.binding{kind}.{queue}*" for queue in [*queues, "celery.pidbox"] for kind in ("", "_permanent")]
    read = [f"%R~_kombu.binding.{queue}*" for queue in queues]
    box = f"~{worker}.celery.pidbox*"
    return [
        "reset", "on", f"#{verifier}",
        "+ping", "+auth", "+hello", "+select", "+echo", "+quit", "+multi", "+exec", "+discard",
        "+brpop", "+rpop", "+llen", "+exists", "+lpush", *own,
        "(" + " ".join(["+sadd", "+srem", *bound]) + ")",
        f"(+llen +exists +del {box})",
        "(+psubscribe +punsubscribe &/0.celery.pidbox)",
        "(+publish &/0.celeryev/*)",
        "(" + " ".join(["+smembers", "%R~_kombu.binding.reply.celery.pidbox", *read]) + ")",
        "(+lpush %W~*.reply.celery.pidbox)",
    ]  # fmt: skip


def rabbitmq_permissions(host_ids: Sequence[str], worker: str) -> dict[str, str]:
    """Regular expressions of what a user may make, write to and read from."""
    queues = [re.escape(host_queue(one)) + r"(\.ctl)?" for one in host_ids] if len(host_ids) <= MANY else [r"host\..*"]
    box = re.escape(f"{worker}.celery.pidbox")
    exchanges = [r"celery\.pidbox", r"reply\.celery\.pidbox", "celeryev"]
    return {
        "configure": _whole([*queues, box, *exchanges]),
        "write": _whole([*queues, box, r"reply\.celery\.pidbox", "celeryev"]),  # never the exchange of commands
        "read": _whole([*queues, box, r"celery\.pidbox"]),
    }


def _whole(patterns: Iterable[str]) -> str:
    return f"^({'|'.join(patterns)})$"


# --- telling a broker


class Users(Protocol):
    """The users of one kind of broker."""

    kind: str

    def put(self, agent_id: str, verifier: str, host_ids: Sequence[str], worker: str) -> None: ...
    def drop(self, agent_id: str) -> None: ...
    def remove_queues(self, host_ids: Sequence[str]) -> None: ...
    def names(self) -> set[str]: ...
    def keep(self) -> None: ...


class RedisUsers:
    """Access control lists, saved to Redis's own file so that a restart finds them."""

    kind = "redis"

    def _ask(self, *words: str) -> Any:
        with current_app.pool.acquire(block=True, timeout=5) as found:
            connection: Any = found
            return connection.default_channel.client.execute_command(*words)

    def put(self, agent_id: str, verifier: str, host_ids: Sequence[str], worker: str) -> None:
        self._ask("ACL", "SETUSER", user_name(agent_id), *redis_rules(verifier, host_ids, worker))

    def drop(self, agent_id: str) -> None:
        """Redis ends the user's connections too."""
        self._ask("ACL", "DELUSER", user_name(agent_id))

    def remove_queues(self, host_ids: Sequence[str]) -> None:
        for queue in map(host_queue, host_ids):
            names = [queue, f"{queue}.ctl"]
            bound = [f"_kombu.binding{kind}.{name}" for name in names for kind in ("", "_permanent")]
            self._ask("DEL", *names, *bound)

    def names(self) -> set[str]:
        return {str(name, "utf-8") if isinstance(name, bytes) else name for name in self._ask("ACL", "USERS")}

    def keep(self) -> None:
        self._ask("ACL", "SAVE")


class RabbitUsers:
    """RabbitMQ's users, over the HTTP API of its management plugin."""

    kind = "rabbitmq"

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.url = f"{parts.scheme}://{parts.hostname}:{parts.port or 15672}/api"
        self.headers = urllib3.make_headers(basic_auth=f"{parts.username}:{parts.password}")
        self.headers["Content-Type"] = "application/json"
        self.virtual_host = quote(urlsplit(conf().broker_url).path[1:] or "/", safe="")
        self.pool = urllib3.PoolManager(retries=False, timeout=5.0, ca_certs=conf().ca_file or None)

    def _ask(self, method: str, path: str, body: Any = None, accept: Sequence[int] = (200, 201, 204)) -> Any:
        data = None if body is None else json.dumps(body).encode()
        answer = self.pool.request(method, f"{self.url}/{path}", body=data, headers=self.headers)
        if answer.status not in accept:
            raise urllib3.exceptions.HTTPError(f"RabbitMQ: {method} {path}: HTTP {answer.status}")
        return json.loads(answer.data) if answer.data and answer.status == 200 else None

    def put(self, agent_id: str, verifier: str, host_ids: Sequence[str], worker: str) -> None:
        name = user_name(agent_id)
        facts = {"password_hash": verifier, "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": ""}
        self._ask("PUT", f"users/{name}", facts)
        self._ask("PUT", f"permissions/{self.virtual_host}/{name}", rabbitmq_permissions(host_ids, worker))

    def drop(self, agent_id: str) -> None:
        self._ask("DELETE", f"users/{user_name(agent_id)}", accept=(204, 404))

    def remove_queues(self, host_ids: Sequence[str]) -> None:
        for queue in map(host_queue, host_ids):
            for name in (queue, f"{queue}.ctl"):
                self._ask("DELETE", f"queues/{self.virtual_host}/{name}", accept=(204, 404))
            self._ask("DELETE", f"exchanges/{self.virtual_host}/{queue}", accept=(204, 404))

    def names(self) -> set[str]:
        return {str(row["name"]) for row in self._ask("GET", "users")}

    def keep(self) -> None:
        """RabbitMQ keeps its users by itself."""


def users() -> Users | None:
    """The users of our broker; None where they cannot be managed: all hosts share what ``broker_for_hosts`` says."""
    match conf().broker_users:
        case "redis":
            return RedisUsers()
        case "rabbitmq":
            return RabbitUsers(conf().broker_management_url)
        case _:
            return None
