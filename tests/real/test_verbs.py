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
from instances.actions.base import Order
from instances.actions.shelve import Shelve, ShelveOffload
from tests.drivers import boot_sector, build
from tests.drivers.build import ImagesInMemory, ref
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


def files_of(driver: LibvirtDriver, spec: GuestSpec) -> list[str]:
    return sorted(path.name for path in driver.host.disks.folder(spec.id).iterdir())


def rebuilt(spec: GuestSpec, images: ImagesInMemory, *disks: DiskSpec) -> GuestSpec:
    image = images.add(boot_sector.counting("new"))
    return dataclasses.replace(again(spec), disks=(build.root(image), *disks))


def test_a_rebuilt_guest_boots_from_the_new_image_and_what_is_to_stay_stays(
    driver: LibvirtDriver, spec: GuestSpec, images: ImagesInMemory
) -> None:
    ephemeral = DiskSpec("ephemeral", 1, "vdb", 1)
    spec = dataclasses.replace(spec, disks=(*spec.disks, ephemeral))
    run_all(driver.spawn(spec))
    assert booted(driver, spec, 1, "A of mine"), boots(driver, spec)
    run_all(driver.power_off(ref(spec)))
    with driver.host.disks.path(spec.id, "vdb").open("r+b") as disk:
        disk.seek(512)
        disk.write(b"B of old times\r\n\0")

    wanted = rebuilt(spec, images, ephemeral)
    for _ in range(2):  # delivered twice, it boots once
        run_all(driver.rebuild(wanted, was_on=False, starts=True, keeps_ephemeral=True, timeout_s=20))
        assert booted(driver, spec, 2, "A of new", "B of old times"), boots(driver, spec)

    run_all(driver.rebuild(again(wanted), was_on=True, starts=True, keeps_ephemeral=False, timeout_s=20))
    assert eventually(lambda: boots(driver, spec)[2:3] == [["A of new"]]), boots(driver, spec)
    assert files_of(driver, spec) == ["console.log", "disk-config", "disk-vda", "disk-vdb", "disks.json"]
    assert driver.host.disks.bases() == {wanted.disks[0].image.sha512}  # type: ignore[union-attr]


def test_a_rebuild_that_fails_brings_the_old_disk_back_with_what_was_written_on_it(
    driver: LibvirtDriver, spec: GuestSpec, images: ImagesInMemory
) -> None:
    run_all(driver.spawn(spec))
    assert booted(driver, spec, 1, "A of mine")

    steps = driver.rebuild(rebuilt(spec, images), was_on=True, starts=True, keeps_ephemeral=False, timeout_s=20)
    build.undone(list(steps)[:-1])

    assert eventually(lambda: boots(driver, spec)[-1:] == [["B of mine"]]), boots(driver, spec)
    assert files_of(driver, spec) == ["console.log", "disk-config", "disk-vda", "disks.json"]


def test_a_shelved_guest_is_made_again_with_what_was_written_on_its_disk(
    driver: LibvirtDriver, spec: GuestSpec, images: ImagesInMemory
) -> None:
    run_all(driver.spawn(spec))
    assert booted(driver, spec, 1, "A of mine")
    order = Order("op", "shelve", 1, spec.id, "", 1, {"image_id": "picture", "was_on": True}, spec)
    run_all(Shelve().perform(driver, order))
    assert driver.state(spec.id).power == PowerState.SHUTDOWN
    run_all(ShelveOffload().perform(driver, order))
    assert driver.leftovers(frozenset()) == []
    assert driver.host.disks.bases() == frozenset()

    image = images.add(images.stored["picture"], "qcow2")
    back = dataclasses.replace(again(spec), epoch=2, disks=(build.root(image),))
    run_all(driver.spawn(back))
    assert booted(driver, spec, 1, "B of mine"), boots(driver, spec)

    # From now on the rows name the image that it was once made of; its disk stands on the other one.
    run_all(driver.reboot(dataclasses.replace(again(back), disks=spec.disks), hard=True))
    assert booted(driver, spec, 2, "C of mine"), boots(driver, spec)


def test_a_shelving_that_fails_brings_the_guest_back(driver: LibvirtDriver, spec: GuestSpec) -> None:
    run_all(driver.spawn(spec))
    assert booted(driver, spec, 1, "A of mine")
    order = Order("op", "shelve", 1, spec.id, "", 1, {"image_id": "picture", "was_on": True}, again(spec))

    build.undone([step for step in Shelve().perform(driver, order) if not step.tidies])

    assert eventually(lambda: boots(driver, spec)[-1:] == [["B of mine"]]), boots(driver, spec)
    assert files_of(driver, spec) == ["console.log", "disk-config", "disk-vda", "disks.json"]
