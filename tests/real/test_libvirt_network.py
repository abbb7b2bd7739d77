"""Two guests on two hosts: each gets the address it was promised and reaches the other through the virtual network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("libvirt")

from deploy import guest, hosts
from deploy.hosts.layout import Host
from tests.real.libvirt_host import eventually

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0 or shutil.which("libvirtd") is None, reason="needs root and libvirtd"),
]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def two_hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Host]]:
    place = tmp_path_factory.mktemp("network")
    yield hosts.up(place, ["compute1", "compute2"], start=True)
    hosts.down(place, purge=True)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("image") / "guest.qcow2"
    guest.build(target)
    return target


def call(on: Host, peer: Host, image: Path, number: int, verb: str) -> str:
    program = [sys.executable, str(ROOT / "tests/real/guest_call.py")]
    arguments = [str(on.folder / "driver"), on.address, peer.address, str(image), str(number), verb]
    done = subprocess.run(
        [*on.enter, "env", f"PYTHONPATH={ROOT}", *program, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_guests_on_two_hosts_reach_each_other(two_hosts: list[Host], image: Path) -> None:
    one, two = two_hosts
    call(one, two, image, 1, "spawn")
    call(two, one, image, 2, "spawn")

    for on, peer, number, own, other in (
        (one, two, 1, "10.0.0.11/24", "10.0.0.12"),
        (two, one, 2, "10.0.0.12/24", "10.0.0.11"),
    ):
        log = ""

        def reached(on: Host = on, peer: Host = peer, number: int = number, other: str = other) -> bool:
            nonlocal log
            log = call(on, peer, image, number, "log")
            return f"REACHED {other}" in log

        assert eventually(reached, within_s=90), log
        assert own in log

    assert "left: []" in call(one, two, image, 1, "destroy")
    assert "left: []" in call(two, one, image, 2, "destroy")
    for host in two_hosts:
        links = subprocess.run([*host.enter, "ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
        assert "computecloud:" not in links
