"""Verbs that take a guest down and up again, seen from inside: each boot writes on the guest's disk and tells it."""

from __future__ import annotations

import dataclasses
import os
import shutil

import pytest

pytest.importorskip("libvirt")

from deploy.hosts.layout import Host
from hosts.drivers.libvirt.driver import LibvirtDriver
from hosts.drivers.specs import DiskSpec, GuestSpec, PowerState, RescueSpec
from hosts.drivers.steps import run_all
from tests.drivers import boot_sector, build
from tests.drivers.build import ImagesInMemory
from tests.real.libvirt_host import again, driver, eventually, images, machine, virsh

__all__ = ["driver", "images", "machine"]  # fixtures
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0 or shutil.which("libvirtd") is None, reason="needs root and libvirtd"),
]


@pytest.fixture
def spec(images: ImagesInMemory) -> GuestSpec:
    return build.guest(
        disks=(build.root(images.add(boot_sector.counting("mine"))),), config_drive=build.config_drive()
    )


def boots(driver: LibvirtDriver, spec: GuestSpec) -> list[list[str]]:
    """What each boot told, in order."""
    log = driver.console_log(spec.id).decode(errors="replace").replace("\r", "")
    return [part.strip().splitlines() for part in log.split(boot_sector.HELLO.decode())[1:]]


def booted(driver: LibvirtDriver, spec: GuestSpec, number: int, *told: str) -> bool:
    def tells() -> bool:
        found = boots(driver, spec)
        return len(found) == number and found[-1][: len(told)] == list(told)

    return eventually(tells)


def rescue_spec(spec: GuestSpec, images: ImagesInMemory, *, is_stable: bool = False) -> GuestSpec:
    image = images.add(boot_sector.counting("rescue"))
    rescue = RescueSpec(DiskSpec("rescue", 0, "rescue", 0, image=image), is_stable)
    return dataclasses.replace(again(spec), rescue=rescue)


def test_a_rescued_guest_boots_from_the_rescue_disk_with_its_own_second(
    driver: LibvirtDriver, spec: GuestSpec, images: ImagesInMemory, machine: Host
) -> None:
    run_all(driver.spawn(spec))
    assert booted(driver, spec, 1, "A of mine"), boots(driver, spec)

    rescue = rescue_spec(spec, images)
    run_all(driver.rescue(rescue, was_on=True, timeout_s=20))
    assert booted(driver, spec, 2, "A of rescue", "A of mine"), boots(driver, spec)
    run_all(driver.rescue(rescue, was_on=True, timeout_s=20))
    assert len(boots(driver, spec)) == 2, "delivered twice, it boots once"

    run_all(driver.unrescue(again(spec), timeout_s=20))
    assert booted(driver, spec, 3, "B of mine"), boots(driver, spec)
    assert sorted(path.name for path in driver.host.disks.folder(spec.id).iterdir()) == [
        "console.log", "disk-config", "disk-vda", "disks.json",
    ]  # fmt: skip


def test_a_stable_rescue_keeps_the_names_of_the_guests_own_disks(
    driver: LibvirtDriver, spec: GuestSpec, images: ImagesInMemory, machine: Host
) -> None:
    run_all(driver.spawn(spec))
    assert booted(driver, spec, 1, "A of mine")

    run_all(driver.rescue(rescue_spec(spec, images, is_stable=True), was_on=True, timeout_s=20))
    assert booted(driver, spec, 2, "A of rescue", "A of mine"), boots(driver, spec)
    listed = virsh(machine, "domblklist", f"instance-{spec.id}").split()
    assert [(listed[at], listed[at + 1].rpartition("/")[2]) for at in range(3, len(listed), 2)] == [
        ("vda", "disk-vda"), ("vdb", "disk-rescue"), ("vdz", "disk-config-rescue"),
    ]  # fmt: skip


def test_a_rescue_that_fails_brings_the_guest_back(
    driver: LibvirtDriver, spec: GuestSpec, images: ImagesInMemory
) -> None:
    run_all(driver.spawn(spec))
    assert booted(driver, spec, 1, "A of mine")

    build.undone(list(driver.rescue(rescue_spec(spec, images), was_on=True, timeout_s=20))[:-1])

    assert driver.state(spec.id).power == PowerState.RUNNING
    assert eventually(lambda: boots(driver, spec)[-1:] == [["B of mine"]]), boots(driver, spec)
