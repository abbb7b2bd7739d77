"""`./cloud restart`: starts processes of a running cloud anew, one after the other, without refusing a request.

What serves requests has its successor beside it before it ends: a second process of the same program, which takes the
address over when it is ready, serves while the first is replaced, and goes when that one is ready.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from deploy import cloud as clouds
from deploy import pids
from deploy.cloud import Cloud
from deploy.processes import ready_file
from deploy.progress import Failure, Progress
from deploy.supervisor import FRONT, Supervisor, wait_until

SERVING = ("api", "conductor", "console")
# Only when they are named: guests' consoles hang on virtlogd, and nginx, when it takes new settings, closes connections
# that clients keep; one that sends at that very moment would have to ask again.
KEPT = ("libvirtd", "virtlogd", FRONT)
READY_S = 90


def chosen(cloud: Cloud, wanted: Sequence[str]) -> list[str]:
    """The names asked for, or all but those that are left alone, in the order of their start. Raises Failure."""
    known = list(Supervisor(cloud).statuses())
    if not known:
        raise Failure("The supervisor does not run: ./cloud up starts everything.")
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise Failure(f"There is no process {', '.join(unknown)}. There are: {', '.join(known)}.")
    return [name for name in known if name in wanted or (not wanted and name.split("@")[0] not in KEPT)]


def restart(cloud: Cloud, name: str) -> None:
    """One process, in the way that suits it."""
    keeper = Supervisor(cloud)
    if name in SERVING:
        replace(cloud, keeper, name)
    elif name == FRONT:
        keeper.signal(FRONT, "HUP")  # nginx: new workers with the present configuration; old ones finish what they have
    else:
        keeper.restart([name])
        wait_until(lambda: keeper.statuses()[name].state == "RUNNING", READY_S, f"{name} does not come back.")


def replace(cloud: Cloud, keeper: Supervisor, name: str) -> None:
    """A spare serves while the process is replaced. Raises Failure when one of them does not get ready."""
    spare = f"{name}-spare"
    keeper.lend(name, spare)
    try:
        _until_ready(cloud, name, spare)
        keeper.restart([name])
        _until_ready(cloud, name, name)
    finally:
        keeper.take_back(spare)


def _until_ready(cloud: Cloud, name: str, process: str) -> None:
    """``process`` was the last to begin serving under ``name``."""

    def look() -> bool:
        running, file = pids.find(cloud.run, process), ready_file(cloud, name)
        return running is not None and file.exists() and file.read_text() == str(running.pid)

    wait_until(look, READY_S, f"{process} does not get ready within {READY_S} s: ./cloud logs {process}")


def run(asked: argparse.Namespace) -> int:
    cloud = clouds.existing(asked.state)
    with clouds.alone(cloud):
        progress = Progress()
        for name in chosen(cloud, asked.names):
            with progress.step(name):
                restart(cloud, name)
    return 0
