"""The doorbell: a Redis of the cloud's own (nothing kept on disk, password, never an eviction), or one given by URL."""

from __future__ import annotations

from deploy.cloud import Cloud
from deploy.credentials import Secrets
from deploy.files import write_private

PORT = 6379


def write_config(cloud: Cloud, secrets: Secrets, network_address: str | None) -> None:
    """``network_address``: the machine's address on the hosts' own network; None when only this machine connects."""
    lines = [
        # Local processes use the unix socket; a TCP listener exists only where compute hosts need one.
        f"unixsocket {cloud.run}/redis.sock",
        "unixsocketperm 700",
        *([f"bind {network_address}", f"port {PORT}"] if network_address else ["port 0"]),
        "protected-mode yes",
        f"requirepass {secrets.broker_password}",
        # Messages are doorbells: the database has the truth, so nothing is written to disk.
        'save ""',
        "appendonly no",
        "maxmemory 256mb",
        # Eviction could delete a queue's binding; a full broker refuses, and the outbox rings again.
        "maxmemory-policy noeviction",
        "databases 1",
        "daemonize no",
        "always-show-logo no",
        "loglevel notice",
        f"dir {cloud.run}",
        "enable-debug-command no",
        "enable-module-command no",
        'rename-command CONFIG ""',
        'rename-command DEBUG ""',
        'rename-command SHUTDOWN ""',
        "io-threads 1",
        "tcp-keepalive 30",
        "timeout 0",
    ]
    write_private(cloud.etc / "redis.conf", "\n".join(lines) + "\n")


def local_url(cloud: Cloud, secrets: Secrets) -> str:
    """The broker as processes on this machine reach it."""
    if cloud.wish.broker_url:
        return cloud.wish.broker_url
    return f"redis+socket://:{secrets.broker_password}@{cloud.run}/redis.sock?virtual_host=0"


def network_url(cloud: Cloud, address: str, secrets: Secrets) -> str:
    """The broker as a compute host reaches it."""
    if cloud.wish.broker_url:
        return cloud.wish.broker_url
    return f"redis://:{secrets.broker_password}@{address}:{PORT}/0"
