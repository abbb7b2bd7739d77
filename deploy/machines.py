"""The compute hosts of one cloud, real or simulated: their names, enrolment, agents and daemons."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from computecloud.core.command import absolute
from deploy import config, enrolment, hosts
from deploy.cloud import Cloud
from deploy.config import Agent
from deploy.enrolment import Party
from deploy.files import write_private
from deploy.hosts import Host
from deploy.processes import Process
from deploy.progress import Progress

LARGEST_GB = 120  # m1.large and some smaller ones
REAL = ("compute1", "compute2")
FAKE_AGENT = "fake"


@dataclass(frozen=True)
class Machines:
    """``network_address``: this machine on the hosts' own network; None when all hosts are simulated."""

    names: Sequence[str] = ()
    network_address: str | None = None
    hosts: Sequence[Host] = ()
    agents: Sequence[Agent] = ()


def fake_names(count: int) -> list[str]:
    return [f"fake{number:04d}" for number in range(1, count + 1)]


def names(cloud: Cloud) -> list[str]:
    """The hosts of this machine: those that `up` makes, without what was removed, and what was added."""
    made = fake_names(cloud.wish.fake) if cloud.wish.fake else REAL
    return [*(name for name in made if name not in cloud.wish.removed), *cloud.wish.added]


def of(cloud: Cloud) -> Machines:
    """What is known without changing anything."""
    if cloud.wish.fake:
        return Machines(names=names(cloud))
    known = hosts.hosts(cloud.state) if (cloud.state / "hosts" / "hosts.json").exists() else []
    return Machines(names=names(cloud), network_address=hosts.gateway(cloud.state) if known else None, hosts=known)


def prepare(cloud: Cloud, progress: Progress) -> Machines:
    """Namespaces, folders and network of the real hosts; their daemons are the supervisor's."""
    found = hosts.up(cloud.state, names(cloud))
    for one in found:
        progress.note(f"{one.name} {one.address}")
    return Machines(names=names(cloud), network_address=hosts.gateway(cloud.state), hosts=found)


def parties(cloud: Cloud, local: Machines) -> list[Party]:
    """Who has to be enrolled: one agent for all simulated hosts, one for each real host."""
    url = config.conductor_url(cloud, local.network_address)
    broker = config.broker_for_hosts(cloud, local.network_address)
    if cloud.wish.fake:
        return [Party(FAKE_AGENT, "fake", local.names, url, broker)]
    return [
        Party(one.name, "libvirt", [one.name], url, broker, _share(cloud), {one.name: one.uuid}) for one in local.hosts
    ]  # fmt: skip


def with_agents(cloud: Cloud, local: Machines) -> Machines:
    """The agents of all hosts that are enrolled, with their settings written."""
    found: list[Agent] = []
    for party in parties(cloud, local):
        enrolment.write_identities(cloud, party)
        files = [enrolment.identity_file(cloud, name) for name in enrolment.known(cloud, party)]
        if files:
            found.append(_agent(party.agent, files, local))
    for agent in found:
        config.write_agent(cloud, agent)
    return replace(local, agents=found)


def _agent(name: str, files: Sequence[Path], local: Machines) -> Agent:
    host = next((one for one in local.hosts if one.name == name), None)
    if host is None:
        return Agent(name, files)
    return Agent(name, files, host.enter, host.address, uses_network=True)


def _share(cloud: Cloud) -> dict[str, Any]:
    """The hosts divide the machine: each half of its memory, and half of the disk that was free at the first `up`.

    Disks are thin, so the disk ratio promises more: enough for a server of 80 GB (m1.large) beside smaller ones.
    """
    path = cloud.data / ".share.json"
    if not path.exists():
        free_gb = shutil.disk_usage(cloud.state).free // 2**30
        disk_gb = max(1, free_gb // len(REAL))
        ratio = max(1.0, round(LARGEST_GB / disk_gb + 0.05, 1))
        # Said in MB, not as a share: libvirt counts the first NUMA node's memory only.
        ram_mb = _memory_mb() // len(REAL)
        shares = {"share": 1 / len(REAL), "ram_mb": ram_mb, "disk_gb": disk_gb, "disk_ratio": ratio}
        write_private(path, json.dumps(shares))
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def _memory_mb() -> int:
    """All memory of the machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20


def daemons(local: Machines) -> list[Process]:
    """libvirtd and virtlogd of each real host."""
    found: list[Process] = []
    for one in local.hosts:
        found.append(Process(f"virtlogd@{one.name}", absolute(one.virtlogd), order=12))
        found.append(Process(f"libvirtd@{one.name}", absolute(one.libvirtd), order=15))
    return found
