"""The Celery application. Messages are doorbells: an operation id and an attempt, JSON, no results (S52)."""

from __future__ import annotations

import os
import ssl
from typing import Any
from urllib.parse import urlsplit

from celery import Celery
from kombu import Queue

from computecloud import redis_transport
from computecloud.conf import Conf, conf

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "computecloud.settings")
CONF = conf()
ON_RABBITMQ = CONF.broker_url.startswith("amqp")
BROKER_ANSWERS_S = 2.0
QUEUE_TYPE = "quorum" if ON_RABBITMQ else "classic"  # RabbitMQ keeps a quorum queue through the loss of a node


def broker_tls(settings: Conf) -> dict[str, Any] | None:
    """How a broker reached by TLS is verified: by its certificate and its name, never less."""
    parts = urlsplit(settings.broker_url)
    files = {
        "ca": settings.ca_file or None,
        "certificate": settings.certificate_file or None,
        "key": settings.key_file or None,
    }
    if parts.scheme == "rediss":
        return {
            "ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True, "ssl_ca_certs": files["ca"],
            "ssl_certfile": files["certificate"], "ssl_keyfile": files["key"],
        }  # fmt: skip
    if parts.scheme == "amqps":
        return {
            # the name that is given is the name that is checked
            "cert_reqs": ssl.CERT_REQUIRED, "server_hostname": parts.hostname,
            "ca_certs": files["ca"] or ssl.get_default_verify_paths().cafile,
            "certfile": files["certificate"], "keyfile": files["key"],
        }  # fmt: skip
    return None


def _answer_in_time(connection: Any) -> None:
    """No call to RabbitMQ waits longer than that: a blocked one would not even answer that it closes the channel."""
    connection.transport.sock.settimeout(BROKER_ANSWERS_S)


redis_transport.use()
app = Celery("computecloud")
app.set_default()  # Celery's "current" app is per thread; servers publish from threads of their own
app.conf.update(
    broker_url=CONF.broker_url,
    broker_use_ssl=broker_tls(CONF),
    # Queues that expire are kept alive by scripts that touch the bindings of others: an agent's user may not.
    **({"control_queue_expires": None} if CONF.role == "agent" else {}),
    result_backend=None,
    task_ignore_result=True,
    task_serializer="json",
    result_serializer="json",
    accept_content=["json"],
    result_accept_content=["json"],
    task_acks_late=False,  # the lease in the database re-drives, not the broker
    worker_prefetch_multiplier=1,
    task_publish_retry=True,
    task_publish_retry_policy={"max_retries": 1, "interval_start": 0, "interval_max": 0.2},
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_connection_timeout=3,
    broker_heartbeat=10,  # RabbitMQ: a consumer whose connection died silently notices within two of these
    # Flower asks eight things at once with two connections each, and waits for ever when the pool runs dry.
    broker_pool_limit=32 if CONF.role == "monitor" else 4,
    broker_transport_options=(
        {"confirm_publish": True, "on_open": _answer_in_time}
        if ON_RABBITMQ
        else {
            "priority_steps": [0],  # one list for a queue: Kombu's Redis listens at four otherwise
            "ack_emulation": False,  # messages are acknowledged on receipt and never trusted: no books are kept of them
            "socket_timeout": 3,
            "socket_connect_timeout": 3,
            "socket_keepalive": True,
            "health_check_interval": 15,
            "retry_on_timeout": False,  # a caller of a silent Redis waits once; the bell tries again by itself
        }
    ),
    task_default_queue="control",
    task_default_queue_type=QUEUE_TYPE,
    task_queues=[Queue("control", queue_arguments={"x-queue-type": QUEUE_TYPE} if ON_RABBITMQ else None)],
    task_create_missing_queues=True,
    task_create_missing_queue_type=QUEUE_TYPE,
    worker_consumer="computecloud.consumer:Consumer",
    worker_hijack_root_logger=False,
    worker_send_task_events=True,
    task_send_sent_event=False,
    worker_soft_shutdown_timeout=30,
    CELERY_DB_REUSE_MAX=10**9,  # Celery's Django fixup would close the connection around every task
    timezone="UTC",
    imports={"agent": ["tasks.host"], "monitor": []}.get(CONF.role, ["tasks.control"]),
    beat_schedule={
        name: {"task": task, "schedule": every, "options": {"expires": every}}
        for name, task, every in (
            ("relay", "control.relay", 1.0),
            ("sweep", "control.sweep", CONF.sweep_s),
            ("purge", "control.purge", 300.0),
        )
    },
)
