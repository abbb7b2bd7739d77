"""The long-running processes of a cloud, as data: name, command, environment, how it stops."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from computecloud.core.command import absolute
from deploy import gate
from deploy.cloud import CHECKOUT, Cloud
from deploy.config import Agent, agent_file, conductor_port
from deploy.management import code_fingerprint

BIN = Path(sys.executable).parent
HOST_THREADS = 8


@dataclass(frozen=True)
class Process:
    """One program under the supervisor. ``order`` is when it starts; the same number starts together."""

    name: str
    command: Sequence[str]
    environment: dict[str, str] = field(default_factory=dict)
    order: int = 50
    stop_signal: str = "TERM"
    stop_wait_s: int = 10


def content(*files: Path, code: str = "") -> dict[str, str]:
    """A word in the environment that changes with what a process read at its start; the supervisor then restarts it."""
    total = hashlib.sha256(code.encode())
    for path in files:
        total.update(path.read_bytes())
    return {"CLOUD_CONTENT": total.hexdigest()[:16]}


def _python_environment(config: Path, *more: Path) -> dict[str, str]:
    return {
        **content(config, *more, code=code_fingerprint()),
        "COMPUTECLOUD_CONFIG": str(config),
        "DJANGO_SETTINGS_MODULE": "computecloud.settings",
        "PYTHONPATH": str(CHECKOUT),
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",  # a crash in native code says in whose
        # `up` had Django's checks run by migrate; in a worker they would load every URL and view: 20 MB.
        "CELERY_SKIP_CHECKS": "1",
        # Docstrings are a fifteenth of a process's memory. Only the API serves text made from them.
        "PYTHONOPTIMIZE": "2",
        # Memory: glibc makes an arena per thread and BLAS a buffer per core otherwise.
        "MALLOC_ARENA_MAX": "2",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }


def ready_file(cloud: Cloud, name: str) -> Path:
    """Has the id of the process that last began to serve under this name."""
    return cloud.run / f"{name}.ready"


def _granian(cloud: Cloud, name: str, target: str, interface: str, threads: int, *listen: str) -> list[str]:
    return [
        str(BIN / "python"), "-m", "deploy.serve", target, "--interface", interface,
        "--threads", str(threads), "--ready", str(ready_file(cloud, name)), *listen,
    ]  # fmt: skip


def _task_process(*arguments: str) -> list[str]:
    return [str(BIN / "python"), "-m", "deploy.task_process", *arguments]


def agent(cloud: Cloud, one: Agent) -> Process:
    """The worker pinned to its hosts' queues, in its host's namespaces."""
    queues = ",".join(f"host.{uuid}" for uuid in one.uuids())
    worker = _task_process("worker", "--name", one.process_name, "--queues", queues, "--threads", str(HOST_THREADS))
    command = [*(absolute(one.enter) if one.enter else ()), *worker]
    return Process(
        one.process_name,
        command,
        _python_environment(agent_file(cloud, one), *one.identities),
        order=40,
        stop_wait_s=45,
    )


def redis(cloud: Cloud) -> Process:
    path = cloud.etc / "redis.conf"
    return Process("redis", ["/usr/bin/redis-server", str(path)], content(path, *_served_certificate(cloud)), order=10)


def _served_certificate(cloud: Cloud) -> list[Path]:
    return [cloud.ca / "server.crt", cloud.ca / "ca.crt"] if cloud.wish.tls else []


def front(cloud: Cloud) -> Process:
    path = cloud.etc / "nginx.conf"
    command = ["/usr/sbin/nginx", "-e", "stderr", "-c", str(path), "-p", str(cloud.run)]
    gates = [cloud.etc / gate.FILE] if cloud.wish.tls else []
    read = content(path, cloud.etc / "headers.conf", *gates, *_served_certificate(cloud))
    return Process("front", command, read, order=60, stop_signal="QUIT")


def has_console() -> bool:
    """Whether this version of the product has an ASGI side: consoles and event streams."""
    return (CHECKOUT / "computecloud" / "asgi.py").exists()


def console(cloud: Cloud, environment: dict[str, str]) -> list[Process]:
    if not has_console():
        return []
    listen = ["--socket", f"{cloud.run}/console.sock"]
    command = _granian(cloud, "console", "computecloud.asgi:application", "asgi", 1, *listen)
    return [Process("console", command, environment, order=50)]


def services(cloud: Cloud, network_address: str | None) -> list[Process]:
    """Everything but the hosts: see the table in docs/explanation about the parts that run."""
    environment = _python_environment(cloud.config_file) | {"PROMETHEUS_MULTIPROC_DIR": str(cloud.state / "metrics")}
    # The web half (admin, pages, API documents) is loaded by the API alone.
    inner = environment | {"COMPUTECLOUD_ROLE": "conductor"}
    # Beat and Flower know tasks by name only: without Django they need half the memory.
    watching = environment | {"COMPUTECLOUD_ROLE": "monitor", "DJANGO_SETTINGS_MODULE": ""}
    return [
        *([] if cloud.wish.broker_url else [redis(cloud)]),
        Process(
            "api",
            _granian(cloud, "api", "computecloud.wsgi:application", "wsgi", 4, "--socket", f"{cloud.run}/api.sock"),
            environment | {"PYTHONOPTIMIZE": ""},
            order=20,
        ),
        Process(
            "conductor",
            _granian(cloud, "conductor", "computecloud.wsgi_conductor:application", "wsgi", 4,
                     *_conductor_listens(cloud, network_address)),
            inner,
            order=20,
        ),
        Process(
            "control",
            _task_process("worker", "--name", "control@cloud", "--queues", "control", "--threads", "2"),
            inner,
            order=30,
            stop_wait_s=45,
        ),
        Process("beat", _task_process("beat"), watching, order=50),
        *console(cloud, environment),
        Process(
            "flower",
            _task_process(
                "flower", f"--unix_socket={cloud.run}/flower.sock", "--url_prefix=flower", "--read_only=true",
                "--max_tasks=2000", "--max_workers=1000", "--purge_offline_workers=3600", "--logging=warning",
            ),
            watching,
            order=50,
        ),
        front(cloud),
    ]  # fmt: skip


def _conductor_listens(cloud: Cloud, network_address: str | None) -> list[str]:
    """With TLS hosts come through the gate, and only that reaches the conductor."""
    if cloud.wish.tls:
        return ["--socket", f"{cloud.run}/conductor.sock"]
    return ["--address", network_address or "127.0.0.1", "--port", str(conductor_port(cloud))]


def all_of(
    cloud: Cloud, agents: Sequence[Agent], daemons: Sequence[Process], network_address: str | None
) -> list[Process]:
    """Services, agents and the real hosts' daemons, in the order they start."""
    found = [*services(cloud, network_address), *daemons, *(agent(cloud, one) for one in agents)]
    return sorted(found, key=lambda process: process.order)
