"""Writes `computecloud.conf`, the one settings file of the product, for the cloud and for each agent."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy import broker
from deploy.cloud import Cloud
from deploy.credentials import Secrets
from deploy.files import toml_text, write_private

CONDUCTOR_PORT = 8776


@dataclass(frozen=True)
class Agent:
    """One agent process: a name (its pid file is compute@NAME.pid), the hosts it stands for, how to enter its host."""

    name: str
    identities: Sequence[Path]
    enter: Sequence[str] = ()  # command prefix; empty: this machine's own namespaces
    underlay_address: str = ""
    broker_address: str | None = None  # None: the local socket

    @property
    def process_name(self) -> str:
        return f"compute@{self.name}"

    def uuids(self) -> list[str]:
        """The hosts it stands for, from their identity files."""
        return [str(tomllib.loads(path.read_text())["uuid"]) for path in self.identities]


def agent_file(cloud: Cloud, agent: Agent) -> Path:
    return cloud.etc / f"agent-{agent.name}.conf"


def conductor_url(cloud: Cloud, network_address: str | None) -> str:
    """Where hosts find the conductor: on their own network, or on loopback when they are simulated."""
    if network_address:
        return f"http://{network_address}:{CONDUCTOR_PORT}"
    return f"http://127.0.0.1:{cloud.wish.conductor_port}"


def write_cloud(cloud: Cloud, secrets: Secrets, network_address: str | None) -> None:
    """Settings of everything that may see the database."""
    values: dict[str, Any] = {
        "role": "cloud",
        "state_dir": str(cloud.state),
        "secret_key": secrets.secret_key,
        "public_url": cloud.public_url,
        "admin_networks": list(cloud.wish.admin_networks),
        "conductor_url": conductor_url(cloud, network_address),
        "database_url": cloud.database_url,
        "broker_url": broker.local_url(cloud, secrets),
        "image_bytes_by_front": True,
    }
    write_private(cloud.config_file, toml_text(values))


def write_agent(cloud: Cloud, secrets: Secrets, agent: Agent) -> None:
    """Settings of one compute host: no database and no signing key in them."""
    url = (
        broker.network_url(cloud, agent.broker_address, secrets)
        if agent.broker_address
        else broker.local_url(cloud, secrets)
    )
    folder = cloud.data / f"agent-{agent.name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    values: dict[str, Any] = {
        "role": "agent",
        "state_dir": str(folder),
        "conductor_url": conductor_url(cloud, agent.broker_address),
        "broker_url": url,
        "identities": [str(path) for path in agent.identities],
        "underlay_address": agent.underlay_address,
    }
    write_private(agent_file(cloud, agent), toml_text(values))
