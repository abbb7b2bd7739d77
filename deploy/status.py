"""`./cloud status`: what runs, for how long, with how much memory, and what the cloud says of its hosts."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass

from deploy import cloud as clouds
from deploy import credentials, pids, supervisor
from deploy.client import Client
from deploy.cloud import Cloud
from deploy.progress import Failure


@dataclass(frozen=True)
class Row:
    """One process with its children. ``pss_mib``: its part of the memory (proportional set size)."""

    name: str
    state: str
    pid: int | None
    since_s: int
    processes: int
    pss_mib: float


def rows(cloud: Cloud) -> list[Row]:
    """All processes; each operating system process is counted once, the supervisor last."""
    statuses = supervisor.Supervisor(cloud).statuses()
    names = [*sorted({*statuses, *pids.names(cloud.run)} - {supervisor.NAME}), supervisor.NAME]
    seen: set[int] = set()
    found: list[Row] = []
    for name in names:
        running, status = pids.find(cloud.run, name), statuses.get(name)
        tree = [pid for pid in pids.tree(running.pid) if pid not in seen] if running else []
        seen.update(tree)
        state = status.state if status else ("RUNNING" if running else "STOPPED")
        since = status.since_s if status else pids.age_s(running.pid) if running else 0
        pss = sum(map(pids.pss_kib, tree)) / 1024
        found.append(Row(name, state, running.pid if running else None, since, len(tree), round(pss, 1)))
    return found


def _since(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"


def _cloud_facts(cloud: Cloud) -> list[str]:
    secrets = credentials.load(cloud.state)
    if secrets is None:
        return []
    client = Client(cloud.local_url, "admin", secrets.admin_password, trust=cloud.trust, timeout_s=10)
    services = client.get("/compute/v2.1/os-services?binary=nova-compute")["services"]
    up = sum(1 for row in services if row["state"] == "up")
    limit = client.get("/compute/v2.1/servers?all_tenants=1&limit=1000")
    count = len(limit["servers"])
    more = "+" if "servers_links" in limit else ""
    return [f"compute hosts: {up} of {len(services)} up", f"servers: {count}{more}"]


def run(asked: argparse.Namespace) -> int:
    """Exit status 0 when everything runs, 3 when something does not."""
    cloud = clouds.existing(asked.state)
    found = rows(cloud)
    well = all(row.state == "RUNNING" for row in found)
    if asked.json:
        print(json.dumps({"url": cloud.public_url, "state": str(cloud.state), "well": well,
                          "processes": [asdict(row) for row in found]}))  # fmt: skip
        return 0 if well else 3
    what = f"a host of {cloud.wish.joined}" if cloud.wish.joined else cloud.public_url
    print(f"{what}  ({cloud.state})\n")
    print(f"{'process':24} {'state':9} {'pid':>7} {'since':>8} {'memory':>10}")
    for row in found:
        print(f"{row.name:24} {row.state:9} {row.pid or '-':>7} {_since(row.since_s):>8} {row.pss_mib:6.1f} MiB")
    print(f"{'in all':24} {'':9} {'':7} {'':8} {sum(row.pss_mib for row in found):6.1f} MiB\n")
    try:
        for fact in _cloud_facts(cloud):
            print(fact)
    except Failure as problem:
        print(f"hosts and servers cannot be asked for: {problem}")
        well = False
    if not well:
        print("something is not well: ./cloud doctor says what, ./cloud up heals it")
    return 0 if well else 3
