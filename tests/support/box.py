"""Another machine, as far as its network goes: a namespace with one cable to this one. Needs root."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from computecloud.core.command import run
from deploy.cloud import CHECKOUT
from deploy.hosts import underlay


def cloud(*arguments: str, enter: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """`./cloud` as a shell would start it: nothing of the tests' own settings leaks into it."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("COMPUTECLOUD_", "DJANGO_"))
    }
    return subprocess.run(
        [*enter, sys.executable, "-m", "deploy", *arguments],
        cwd=CHECKOUT, env=environment | {"PYTHONPATH": str(CHECKOUT)}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


@dataclass(frozen=True)
class Box:
    """``here`` is this machine's end of the cable, ``there`` the other's."""

    name: str
    here: str
    there: str
    state: Path

    def cloud(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`./cloud`, run on that machine. (Not by `ip netns exec`, which would hide control groups from libvirt.)"""
        return cloud(*arguments, enter=("nsenter", f"--net=/var/run/netns/{self.name}", "--"))


@contextmanager
def plugged_in(name: str, state: Path) -> Iterator[Box]:
    """The machine stands, and is taken away with all it ran."""
    network = IPv4Network(underlay.choose(None, start=os.getpid()))
    one = Box(name, str(network[1]), str(network[2]), state)
    inside = ["nsenter", f"--net=/var/run/netns/{name}", "--", "ip"]
    run(["ip", "netns", "add", name])
    try:
        run(["ip", "link", "add", "name", f"{name}0", "type", "veth", "peer", "name", "up0", "netns", name])
        run(["ip", "address", "add", f"{one.here}/24", "dev", f"{name}0"])
        run(["ip", "link", "set", "dev", f"{name}0", "up"])
        run([*inside, "address", "add", f"{one.there}/24", "dev", "up0"])
        for device in ("lo", "up0"):
            run([*inside, "link", "set", "dev", device, "up"])
        yield one
    finally:
        one.cloud("down", "--purge", "--state", str(state))
        run(["ip", "netns", "delete", name])
