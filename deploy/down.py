"""`./cloud down`: ends what `up` started, in an order that lets work finish, and nothing else."""

from __future__ import annotations

import argparse
import shutil

from deploy import cloud as clouds
from deploy import hosts, pids, supervisor
from deploy.cloud import Cloud
from deploy.progress import Failure, Progress

OUTLIVE_WORKERS = ("conductor", "redis", "libvirtd", "virtlogd")


def stop_services(cloud: Cloud, progress: Progress) -> None:
    """The supervisor ends its processes; whatever a killed supervisor left is ended by pid file."""
    keeper = supervisor.Supervisor(cloud)
    # Workers finish their step and report it, so what they report to ends after them.
    keeper.shut_down(last=frozenset(name for name in keeper.statuses() if name.split("@")[0] in OUTLIVE_WORKERS))
    for name in supervisor.end_orphans(cloud):
        progress.note(f"ended {name}, left by a supervisor that was killed")
    supervisor.forget_pids(cloud, pids.names(cloud.run))


def check_is_ours(cloud: Cloud) -> None:
    """Purging removes a folder: refuse one that does not look like a cloud's. Raises Failure."""
    strange = {path.name for path in cloud.state.iterdir()} - {
        "cloud.toml", "secrets.toml", "clouds.yaml", "run", "log", "etc", "data", "static", "hosts", "images", "ca",
    }  # fmt: skip
    foreign = sorted(name for name in strange if name in {".git", "home", "usr", "bin", "root", "var", ".ssh"})
    if foreign:
        raise Failure(f"{cloud.state} holds {', '.join(foreign)}: that is more than a cloud. Remove it by hand.")


def run(asked: argparse.Namespace) -> int:
    """Guests end with their hosts; their disks and the database stay, unless --purge."""
    cloud = clouds.existing(asked.state)
    with clouds.alone(cloud):
        _take_down(cloud, asked.purge)
    return 0


def _take_down(cloud: Cloud, purge: bool) -> None:
    progress = Progress()
    with progress.step("Services"):
        stop_services(cloud, progress)
    if not cloud.wish.fake:
        with progress.step("Compute hosts, guests and networks"):
            hosts.down(cloud.state, purge=purge)
    if purge:
        with progress.step(f"Removing {cloud.state}"):
            check_is_ours(cloud)
            shutil.rmtree(cloud.state)
