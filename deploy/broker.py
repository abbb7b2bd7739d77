"""The doorbell: a Redis of the cloud's own (no message on disk, a user for each agent, no eviction), or one by URL."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from urllib.parse import quote, urlsplit, urlunsplit

from deploy.cloud import Cloud
from deploy.credentials import Secrets
from deploy.files import write_private

PORT = 6379


def port(cloud: Cloud) -> int:
    """On the hosts' own network the usual one; beside other programs, on loopback, one that was free."""
    return cloud.wish.broker_port if cloud.wish.fake else PORT


def write_config(cloud: Cloud, secrets: Secrets, addresses: Sequence[str]) -> None:
    """``addresses``: where compute hosts connect; none when only this machine does."""
    _ensure_users_file(cloud, secrets)
    lines = [
        # Local processes use the unix socket; a TCP listener exists only where compute hosts need one.
        f"unixsocket {cloud.run}/redis.sock",
        "unixsocketperm 700",
        *_listeners(cloud, addresses),
        "protected-mode yes",
        # The conductor adds a user for each agent and saves them; the first one is the cloud's own.
        f"aclfile {cloud.data}/redis.acl",
        "acl-pubsub-default resetchannels",
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


def _listeners(cloud: Cloud, addresses: Sequence[str]) -> list[str]:
    if not addresses:
        return ["port 0"]
    bind = f"bind {' '.join(addresses)}"
    if not cloud.wish.tls:
        return [bind, f"port {port(cloud)}"]
    return [
        bind,
        "port 0",
        f"tls-port {port(cloud)}",
        f"tls-cert-file {cloud.ca}/server.crt",
        f"tls-key-file {cloud.ca}/server.key",
        f"tls-ca-cert-file {cloud.ca}/ca.crt",
        "tls-auth-clients yes",
        'tls-protocols "TLSv1.2 TLSv1.3"',
    ]


def _ensure_users_file(cloud: Cloud, secrets: Secrets) -> None:
    """Redis's list of users has the cloud's own, with its present password; those of agents stay as they are."""
    path = cloud.data / "redis.acl"
    digest = hashlib.sha256(secrets.broker_password.encode()).hexdigest()
    known = path.read_text().splitlines() if path.exists() else []
    if any(line.startswith("user default ") and f"#{digest}" in line for line in known):
        return
    others = [line for line in known if not line.startswith("user default ")]
    write_private(path, "\n".join([f"user default on #{digest} ~* &* +@all", *others]) + "\n")


def local_url(cloud: Cloud, password: str, user: str = "") -> str:
    """Redis as processes on this machine reach it; without a user it is the cloud's own."""
    return f"redis+socket://{quote(user)}:{quote(password)}@{cloud.run}/redis.sock?virtual_host=0"


def cloud_url(cloud: Cloud, secrets: Secrets) -> str:
    """The broker as the cloud's own processes reach it."""
    return cloud.wish.broker_url or local_url(cloud, secrets.broker_password)


def users(cloud: Cloud) -> str:
    """Whose users are made for agents (setting ``broker_users``): those of a given broker only where we are let."""
    if not cloud.wish.broker_url:
        return "redis"
    return "rabbitmq" if cloud.wish.broker_management_url else "none"


def url_for_hosts(cloud: Cloud, addresses: Sequence[str]) -> str:
    """The broker as hosts reach it: ours at the address where they reach the conductor; without the user's name and
    password when each has its own."""
    if cloud.wish.broker_url:
        parts = urlsplit(cloud.wish.broker_url)
        own = parts._replace(netloc=parts.netloc.rpartition("@")[2])
        return urlunsplit(own) if users(cloud) != "none" else cloud.wish.broker_url
    return f"{'rediss' if cloud.wish.tls else 'redis'}://*:{port(cloud)}/0" if addresses else ""
