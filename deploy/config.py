"""Writes `computecloud.conf`, the one settings file of the product, for the cloud and for each agent."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from computecloud.conf import Conf
from deploy import broker
from deploy.cloud import Cloud, bracketed
from deploy.credentials import Secrets
from deploy.files import toml_text, write_private
from deploy.progress import Failure
from tasks.agent.enrolment import Room, broker_url

CONDUCTOR_PORT = 8776
NOT_FOR_AGENTS = frozenset({"secret_key", "previous_secret_keys", "database_url"})


@dataclass(frozen=True)
class Agent:
    """One agent process: a name (its pid file is compute@NAME.pid), the hosts it stands for, how to enter its host."""

    name: str
    identities: Sequence[Path]
    enter: Sequence[str] = ()  # command prefix; empty: this machine's own namespaces
    underlay_address: str = ""
    uses_network: bool = False  # reaches the broker over the hosts' own network, not the local socket

    @property
    def process_name(self) -> str:
        return f"compute@{self.name}"

    def uuids(self) -> list[str]:
        """The hosts it stands for, from their identity files."""
        return [str(tomllib.loads(path.read_text())["uuid"]) for path in self.identities]


def of_the_site(cloud: Cloud) -> dict[str, Any]:
    """Settings that this site wants otherwise: ``settings.toml`` beside ``cloud.toml``. Raises Failure."""
    path = cloud.state / "settings.toml"
    if not path.exists():
        return {}
    try:
        values = tomllib.loads(path.read_text())
        msgspec.convert(values, Conf)
    except ValueError as problem:  # TOML's and msgspec's errors are ValueErrors
        raise Failure(f"{path}: {problem}") from problem
    return values


def agent_file(cloud: Cloud, agent: Agent) -> Path:
    return cloud.etc / f"agent-{agent.name}.conf"


def room_of(cloud: Cloud, agent_name: str) -> Room:
    """An agent's private folder: its state, and what it proves itself with."""
    return Room(cloud.data / f"agent-{agent_name}")


def conductor_port(cloud: Cloud) -> int:
    return cloud.wish.conductor_port if cloud.wish.fake else CONDUCTOR_PORT


def conductor_addresses(cloud: Cloud, network_address: str | None) -> list[str]:
    """Where the conductor listens: on the hosts' own network (loopback when they are simulated), and for others."""
    wanted = [network_address or "127.0.0.1", cloud.wish.hosts_listen]
    return list(dict.fromkeys(address for address in wanted if address))


def broker_addresses(cloud: Cloud, network_address: str | None) -> list[str]:
    """Where the broker listens beside its local socket."""
    return list(dict.fromkeys(address for address in (network_address, cloud.wish.hosts_listen) if address))


def broker_for_hosts(cloud: Cloud, network_address: str | None) -> str:
    return broker.url_for_hosts(cloud, broker_addresses(cloud, network_address))


def conductor_url(cloud: Cloud, address: str | None) -> str:
    """Where hosts find the conductor: at an address of the hosts' own network, or on loopback."""
    return f"{'https' if cloud.wish.tls else 'http'}://{bracketed(address or '127.0.0.1')}:{conductor_port(cloud)}"


def write_cloud(cloud: Cloud, secrets: Secrets, network_address: str | None) -> None:
    """Settings of everything that may see the database."""
    values: dict[str, Any] = {
        "role": "cloud",
        "state_dir": str(cloud.state),
        "secret_key": secrets.secret_key,
        "public_url": cloud.public_url,
        "admin_networks": list(cloud.wish.admin_networks),
        "conductor_url": conductor_url(cloud, network_address),
        "tls": cloud.wish.tls,
        "database_url": cloud.database_url,
        "broker_url": broker.cloud_url(cloud, secrets),
        "broker_for_hosts": broker_for_hosts(cloud, network_address),
        "broker_users": broker.users(cloud),
        "broker_management_url": cloud.wish.broker_management_url,
        "image_bytes_by_front": True,
        **({"restoring": True} if cloud.wish.restoring else {}),
    }
    write_private(cloud.config_file, toml_text(of_the_site(cloud) | values))


def write_agent(cloud: Cloud, agent: Agent) -> None:
    """Settings of one compute host that is enrolled: no database and no signing key in them."""
    room = room_of(cloud, agent.name)
    credential = room.admitted()
    if credential is None:
        raise ValueError(f"{agent.name} is not enrolled")
    values: dict[str, Any] = {
        "role": "agent",
        "state_dir": str(room.folder),
        "broker_url": broker_url(credential)
        if agent.uses_network or cloud.wish.broker_url
        else broker.local_url(cloud, credential.broker_password, credential.broker_user),
        "identities": [str(path) for path in agent.identities],
        "underlay_address": agent.underlay_address,
        "ca_file": str(room.authority),
        "certificate_file": str(room.certificate),
        "key_file": str(room.key),
    }
    shared = {name: value for name, value in of_the_site(cloud).items() if name not in NOT_FOR_AGENTS}
    write_private(agent_file(cloud, agent), toml_text(shared | values))
