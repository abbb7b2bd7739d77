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
from deploy import config, hosts
from deploy.cloud import Cloud
from deploy.config import Agent
from deploy.credentials import Secrets
from deploy.files import write_private
from deploy.hosts import Host
from deploy.management import manage
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


def of(cloud: Cloud) -> Machines:
    """What is known without changing anything."""
    if cloud.wish.fake:
        return Machines(names=fake_names(cloud.wish.fake))
    known = hosts.hosts(cloud.state) if (cloud.state / "hosts" / "hosts.json").exists() else []
    return Machines(names=REAL, network_address=hosts.gateway(cloud.state) if known else None, hosts=known)


def prepare(cloud: Cloud, progress: Progress) -> Machines:
    """Namespaces, folders and network of the real hosts; their daemons are the supervisor's."""
    found = hosts.up(cloud.state, REAL)
    for one in found:
        progress.note(f"{one.name} {one.address}")
    return Machines(names=REAL, network_address=hosts.gateway(cloud.state), hosts=found)


def enrol(cloud: Cloud, secrets: Secrets, local: Machines, progress: Progress) -> Machines:
    """Identity files of all hosts, and the agents that use them. Known hosts keep their identity."""
    url = config.conductor_url(cloud, local.network_address)
    files = [_identity_file(cloud, name) for name in local.names]
    wishes = [_wish(cloud, name) for name in local.names]
    stamp = json.dumps([url, wishes])
    path = cloud.data / ".enrolled.json"
    if not (path.exists() and path.read_text() == stamp and all(file.exists() for file in files)):
        told = manage(
            cloud, "enrol_hosts", "--folder", str(cloud.data / "identities"), "--conductor-url", url,
            data=json.dumps(wishes).encode(),
        )  # fmt: skip
        made = told.splitlines()
        if made:
            progress.note(
                f"{len(made)} new" if len(made) > 3 else "new: " + ", ".join(line.split()[0] for line in made)
            )
        write_private(path, stamp)
    agents = _agents(cloud, local, files)
    for agent in agents:
        config.write_agent(cloud, secrets, agent)
    return replace(local, agents=agents)


def _identity_file(cloud: Cloud, name: str) -> Path:
    return cloud.data / "identities" / name / "identity.toml"


def _agents(cloud: Cloud, local: Machines, files: Sequence[Path]) -> list[Agent]:
    if cloud.wish.fake:
        return [Agent(FAKE_AGENT, files)]
    return [
        Agent(one.name, [_identity_file(cloud, one.name)], one.enter, one.address, local.network_address)
        for one in local.hosts
    ]  # fmt: skip


def _wish(cloud: Cloud, name: str) -> dict[str, Any]:
    """What enrolment needs to know of one host."""
    if cloud.wish.fake:
        return {"name": name, "driver": "fake", "agent": FAKE_AGENT, "driver_options": {}}
    return {"name": name, "driver": "libvirt", "agent": name, "driver_options": _share(cloud)}


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
