"""S53 with RabbitMQ: each agent has a user of its own there too, which reaches its own queues only."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

import pytest
import urllib3
from amqp.exceptions import AccessRefused
from kombu import Connection, Exchange, Queue

from computecloud.conf import Conf
from deploy import rabbitmq
from hosts import brokers
from hosts.brokers import RabbitUsers
from tests.support.fault_cloud import wait_for

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(not rabbitmq.SCRIPT.exists(), reason="needs Debian's rabbitmq-server"),
]
OWN, OTHER = "82503f11-36c9-4b00-a683-e3b6697ffa48", "00000000-0000-4000-8000-000000000000"
AGENT, WORKER, PASSWORD = "9a0c13e7-46d4-4de5-8d68-74c2facbac0d", "compute@box", "the agent's own"


@pytest.fixture(scope="module")
def server() -> Iterator[rabbitmq.Server]:
    with rabbitmq.server(management=True) as one:
        yield one


@pytest.fixture
def users(server: rabbitmq.Server, monkeypatch: pytest.MonkeyPatch) -> RabbitUsers:
    monkeypatch.setattr(brokers, "conf", lambda: Conf(broker_url=server.url))
    made = RabbitUsers(server.management_url)
    wait_for("the HTTP API answers", lambda: _answers(made))
    salt = b"salt"
    verifier = base64.b64encode(salt + hashlib.sha256(salt + PASSWORD.encode()).digest()).decode()
    made.put(AGENT, verifier, [OWN], WORKER)
    return made


def _answers(users: RabbitUsers) -> bool:
    try:
        return bool(users.names())
    except urllib3.exceptions.HTTPError:
        return False


def connect(server: rabbitmq.Server) -> Connection:
    return Connection(
        hostname="127.0.0.1", port=server.port, userid=brokers.user_name(AGENT), password=PASSWORD, transport="pyamqp",
        virtual_host="/", connect_timeout=10, transport_options={"confirm_publish": True},  # a refusal is heard
    )  # fmt: skip


def declared(name: str) -> Queue:
    """A queue as workers declare it."""
    return Queue(name, Exchange(name), name, queue_arguments={"x-queue-type": "classic"})


@pytest.mark.row("S53")
def test_s53_a_rabbitmq_user_takes_from_its_own_queues_and_nothing_else(
    server: rabbitmq.Server, users: RabbitUsers
) -> None:
    with Connection(server.url) as cloud:
        for name in (f"host.{OTHER}", "control"):
            declared(name)(cloud.default_channel).declare()
        Exchange("celery.pidbox", "fanout", durable=False)(cloud.default_channel).declare()
    with connect(server) as agent:
        own = declared(f"host.{OWN}")(agent.default_channel)
        own.declare()
        agent.Producer().publish("a bell", exchange=own.exchange, routing_key=own.name)
        wait_for("its own bell", lambda: (message := own.get(no_ack=True)) and message.payload == "a bell")
        box = Queue(f"{WORKER}.celery.pidbox", Exchange("celery.pidbox", "fanout", durable=False), auto_delete=True)
        box(agent.default_channel).declare()
    forbidden = {
        "take another host's bells": lambda line: Queue(f"host.{OTHER}")(line.default_channel).get(),
        "declare another host's queue": lambda line: declared(f"host.{OTHER}")(line.default_channel).declare(),
        "ring another host": lambda line: _publish(line, f"host.{OTHER}", f"host.{OTHER}"),
        "ring the centre": lambda line: _publish(line, "control", "control"),
        "command the workers": lambda line: _publish(line, "celery.pidbox", ""),
        "empty another host's queue": lambda line: Queue(f"host.{OTHER}")(line.default_channel).purge(),
    }
    let_through = []
    for what, do in forbidden.items():
        with connect(server) as agent:
            try:
                do(agent)
            except AccessRefused:
                continue
            let_through.append(what)
    assert let_through == []


def _publish(line: Connection, exchange: str, key: str) -> None:
    line.Producer().publish("x", exchange=exchange, routing_key=key)


def test_a_user_that_is_dropped_and_its_queues_are_gone(server: rabbitmq.Server, users: RabbitUsers) -> None:
    with connect(server) as agent:
        declared(f"host.{OWN}")(agent.default_channel).declare()
    assert brokers.user_name(AGENT) in users.names()
    users.drop(AGENT)
    users.remove_queues([OWN])
    users.drop(AGENT)  # again: nothing to do
    assert brokers.user_name(AGENT) not in users.names()
    with pytest.raises(AccessRefused), connect(server) as agent:
        agent.connect()
    with Connection(server.url) as cloud, pytest.raises(Exception, match="NOT_FOUND"):
        Queue(f"host.{OWN}")(cloud.default_channel).queue_declare(passive=True)
