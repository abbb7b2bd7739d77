"""A guest goes to another host and back, seen from inside: each boot counts itself on the guest's own disk."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("libvirt")

from deploy.hosts.layout import Host
from hosts.drivers import registry
from hosts.drivers.libvirt.driver import LibvirtDriver
from hosts.drivers.specs import DiskSpec, GuestSpec, Trip
from hosts.drivers.steps import run_all
from tests.drivers import boot_sector, build
from tests.drivers.build import GuestRef, ImagesInMemory, ref
from tests.real.libvirt_host import again, driver, images, machine, virsh
from tests.real.test_verbs import booted, boots

__all__ = ["driver", "images", "machine"]  # fixtures
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0 or shutil.which("libvirtd") is None, reason="needs root and libvirtd"),
]
TRIP = "5b1d0c1e-0000-4000-8000-000000000001"


@pytest.fixture
def other(machine: Host, tmp_path: Path, images: ImagesInMemory) -> Iterator[LibvirtDriver]:
    """The new host: disks of its own; both share one libvirtd, which no guest may be in twice."""
    place = tmp_path / "other"
    place.mkdir()
    made = registry.make("libvirt", {"uri": machine.uri, "network": "none", "share": 0.5}, images, place)
    assert isinstance(made, LibvirtDriver)
    made.start()
    yield made
    made.close()


@pytest.fixture
def spec(images: ImagesInMemory) -> GuestSpec:
    disks = (build.root(images.add(boot_sector.counting("mine"))), DiskSpec("swap", 1, "vdb", 0, size_mb=64))
    return build.guest(disks=disks, config_drive=build.config_drive())


def larger(spec: GuestSpec) -> GuestSpec:
    root, swap = spec.disks
    disks = (dataclasses.replace(root, size_gb=2), dataclasses.replace(swap, size_mb=128))
    return dataclasses.replace(again(spec), disks=disks, vcpus=2, ram_mb=128, epoch=2)


def capacity(machine: Host, spec: GuestSpec, disk: str) -> int:
    """Bytes that QEMU gives the running guest."""
    told = virsh(machine, "domblkinfo", f"instance-{spec.id}", disk)
    return int(next(line.split()[1] for line in told.splitlines() if line.startswith("Capacity:")))


def test_what_it_wrote_before_is_there_after_and_its_disk_is_larger(
    driver: LibvirtDriver, other: LibvirtDriver, spec: GuestSpec, images: ImagesInMemory, machine: Host
) -> None:
    run_all(driver.spawn(spec))
    assert booted(driver, spec, 1, "A of mine"), boots(driver, spec)
    run_all(driver.leave(spec, Trip(TRIP), timeout_s=5))
    trip = Trip(TRIP, driver.packed(ref(spec), Trip(TRIP)))
    images.blobs.clear()  # its image is deleted meanwhile: nothing needs it any more

    there = larger(spec)
    run_all(other.arrive(there, trip, starts=True))
    assert booted(other, there, 1, "B of mine"), boots(other, there)
    assert capacity(machine, spec, "vda") == 2 * 2**30
    assert capacity(machine, spec, "vdb") == 128 * 2**20
    told = virsh(machine, "dominfo", f"instance-{spec.id}")
    assert "CPU(s):         2" in told
    assert "131072 KiB" in told

    run_all(driver.forget(ref(there), trip))
    assert not list(driver.host.state_dir.glob(f"*/*{spec.id}*"))
    run_all(other.power_off(ref(there)))
    run_all(other.power_on(again(there)))
    assert booted(other, there, 2, "C of mine"), boots(other, there)
    run_all(other.destroy(ref(there)))


def test_reverted_it_is_as_it_left(
    driver: LibvirtDriver, other: LibvirtDriver, spec: GuestSpec, machine: Host
) -> None:
    run_all(driver.spawn(spec))
    assert booted(driver, spec, 1, "A of mine"), boots(driver, spec)
    run_all(driver.leave(spec, Trip(TRIP), timeout_s=5))
    trip = Trip(TRIP, driver.packed(ref(spec), Trip(TRIP)))
    run_all(other.arrive(larger(spec), trip, starts=True))
    assert booted(other, spec, 1, "B of mine"), boots(other, spec)

    run_all(other.clear(GuestRef(spec.id, 2)))
    assert not list(other.host.state_dir.glob(f"*/*{spec.id}*"))
    run_all(driver.come_back(dataclasses.replace(again(spec), epoch=3), trip, starts=True))
    assert booted(driver, spec, 2, "B of mine"), boots(driver, spec)
    assert capacity(machine, spec, "vda") == 2**30
    assert sorted(path.name for path in driver.host.disks.folder(spec.id).iterdir()) == [
        "console.log", "disk-config", "disk-vda", "disk-vdb", "disks.json",
    ]  # fmt: skip


def test_its_own_host_may_be_the_new_one(driver: LibvirtDriver, spec: GuestSpec, machine: Host) -> None:
    run_all(driver.spawn(spec))
    assert booted(driver, spec, 1, "A of mine"), boots(driver, spec)
    run_all(driver.leave(spec, Trip(TRIP), timeout_s=5))
    trip = Trip(TRIP, driver.packed(ref(spec), Trip(TRIP)))
    run_all(driver.arrive(larger(spec), trip, starts=True))
    assert booted(driver, spec, 1, "B of mine"), boots(driver, spec)
    run_all(driver.clear(ref(spec)))
    run_all(driver.come_back(dataclasses.replace(again(spec), epoch=3), trip, starts=True))
    assert booted(driver, spec, 2, "B of mine"), boots(driver, spec)
