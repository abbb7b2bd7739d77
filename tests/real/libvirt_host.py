"""A compute host with a libvirtd of its own, a driver on it, and a guest of one boot sector: for the real tests."""

from __future__ import annotations

import dataclasses
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy import hosts
from deploy.hosts.layout import Host
from hosts.drivers import registry
from hosts.drivers.libvirt.driver import LibvirtDriver
from hosts.drivers.specs import DiskSpec, GuestSpec
from hosts.drivers.steps import run_all
from tests.drivers import boot_sector, build
from tests.drivers.build import ImagesInMemory


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    place = tmp_path_factory.mktemp("libvirt")
    yield hosts.up(place, ["compute1"], start=True)[0]
    hosts.down(place, purge=True)


@pytest.fixture
def images() -> ImagesInMemory:
    return ImagesInMemory()


@pytest.fixture
def driver(machine: Host, tmp_path: Path, images: ImagesInMemory) -> Iterator[LibvirtDriver]:
    made = registry.make("libvirt", {"uri": machine.uri, "network": "none", "share": 0.5}, images, tmp_path)
    assert isinstance(made, LibvirtDriver)
    made.start()
    yield made
    for guest in made.list():
        run_all(made.destroy(build.GuestRef(guest.id, guest.epoch)))
    made.close()


@pytest.fixture
def spec(images: ImagesInMemory) -> GuestSpec:
    image = images.add(boot_sector.image())
    disks = (build.root(image), DiskSpec("ephemeral", 0, "vdb", 1), DiskSpec("swap", 0, "vdc", 0, size_mb=64))
    return build.guest(disks=disks, config_drive=build.config_drive())


def again(spec: GuestSpec) -> GuestSpec:
    return dataclasses.replace(spec, operation_id=str(uuid.uuid4()))


def eventually(is_so: Callable[[], bool], within_s: float = 15) -> bool:
    end = time.monotonic() + within_s
    while not is_so() and time.monotonic() < end:
        time.sleep(0.05)
    return is_so()


def hellos(driver: LibvirtDriver, spec: GuestSpec) -> int:
    return driver.console_log(spec.id).count(boot_sector.HELLO)


def virsh(machine: Host, *command: str) -> str:
    done = subprocess.run(["virsh", "-c", machine.uri, *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
