"""What every driver promises of a guest that goes to another host, or to its own: two hosts, one road between them."""

from __future__ import annotations

import dataclasses
import hashlib
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from hosts.drivers.base import Driver
from hosts.drivers.errors import Fatal, GuestNotFound
from hosts.drivers.libvirt import qemu_img
from hosts.drivers.specs import CarriedDisk, DiskSpec, GuestSpec, PowerState, Step, Trip
from hosts.drivers.steps import run, run_all
from tests.drivers import build
from tests.drivers.build import ImagesInMemory, ref
from tests.drivers.test_contract import fake_host, libvirt_host

TRIP = Trip(str(uuid.UUID(int=7)))


@pytest.fixture
def images() -> ImagesInMemory:
    return ImagesInMemory()


@pytest.fixture(params=["fake", "libvirt"])
def hosts(request: pytest.FixtureRequest, tmp_path: Path, images: ImagesInMemory) -> Iterator[list[Any]]:
    make = fake_host if request.param == "fake" else libvirt_host
    made = []
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        made.append(make(tmp_path / name, images))
        made[-1].start()
    yield made
    for one in made:
        one.close()


@pytest.fixture
def spec(images: ImagesInMemory) -> GuestSpec:
    disks = (
        build.root(images.add(b"\0" * 2**20)), DiskSpec("ephemeral", 1, "vdb", 1),
        DiskSpec("swap", 2, "vdc", 0, size_mb=64),
    )  # fmt: skip
    return build.guest(arch="i686", machine_type="pc", disks=disks, nics=(build.nic(),))


def larger(spec: GuestSpec, root_gb: int = 2) -> GuestSpec:
    disks = tuple(dataclasses.replace(disk, size_gb=root_gb) if disk.role == "root" else disk for disk in spec.disks)
    return dataclasses.replace(spec, disks=disks, vcpus=2, ram_mb=128, epoch=2)


def twice(steps: Sequence[Step]) -> None:
    for step in steps:
        run(step)
        run(step)


def gone(old: Any, spec: GuestSpec) -> Trip:
    """It left: the trip with what came along."""
    run_all(old.spawn(spec))
    twice(old.leave(spec, TRIP, timeout_s=1))
    run_all(old.leave(spec, TRIP, timeout_s=1))
    return Trip(TRIP.id, old.packed(ref(spec), TRIP))


def files_of(folder: Path, spec: GuestSpec) -> list[str]:
    return sorted(str(path) for path in folder.rglob(f"*{spec.id}*"))


def test_who_has_left_is_no_guest_here_and_its_disks_are(hosts: list[Any], spec: GuestSpec) -> None:
    old, _new = hosts
    trip = gone(old, spec)
    assert [(disk.target, disk.role) for disk in trip.disks] == [("vda", "root"), ("vdb", "ephemeral")]
    assert old.list() == []
    assert old.leftovers(frozenset()) == [spec.id]
    with pytest.raises(GuestNotFound):
        old.state(spec.id)


def test_it_arrives_larger_and_the_old_host_forgets(hosts: list[Any], spec: GuestSpec, tmp_path: Path) -> None:
    old, new = hosts
    trip, there = gone(old, spec), larger(spec)
    twice(new.arrive(there, trip, starts=True))
    assert (new.state(spec.id).power, new.state(spec.id).epoch) == (PowerState.RUNNING, 2)
    assert sizes(new, spec) == {"vda": 2048, "vdb": 1024, "vdc": 64}

    twice(old.forget(ref(there), trip))
    assert old.leftovers(frozenset()) == []
    assert files_of(tmp_path / "old", spec) == []
    run_all(new.destroy(ref(there)))
    assert files_of(tmp_path / "new", spec) == []


def sizes(driver: Any, spec: GuestSpec) -> dict[str, int]:
    """MB of each disk, as the host has recorded them."""
    if hasattr(driver, "guests"):
        return dict(driver.guests.find(spec.id).disks)
    return {target: record.size_bytes // 2**20 for target, record in driver.host.disks.records(spec.id).items()}


def test_off_it_arrives_off(hosts: list[Any], spec: GuestSpec) -> None:
    old, new = hosts
    run_all(new.arrive(larger(spec), gone(old, spec), starts=False))
    assert new.state(spec.id).power == PowerState.SHUTDOWN


def test_it_comes_back_as_it_was(hosts: list[Any], spec: GuestSpec, tmp_path: Path) -> None:
    old, new = hosts
    trip = gone(old, spec)
    run_all(new.arrive(larger(spec), trip, starts=True))
    twice(new.clear(ref(spec)))
    assert files_of(tmp_path / "new", spec) == []
    twice(old.come_back(dataclasses.replace(spec, epoch=3), trip, starts=True))
    assert (old.state(spec.id).power, old.state(spec.id).epoch) == (PowerState.RUNNING, 3)
    assert sizes(old, spec) == {"vda": 1024, "vdb": 1024, "vdc": 64}
    assert not [name for name in files_of(tmp_path / "old", spec) if "moves" in name]


def test_it_comes_back_from_wherever_it_stopped(hosts: list[Any], spec: GuestSpec, tmp_path: Path) -> None:
    old, _new = hosts
    run_all(old.spawn(spec))
    for number in range(len(old.leave(spec, TRIP, timeout_s=1)) + 1):
        trip = Trip(str(uuid.UUID(int=number)))
        run_all(old.leave(spec, trip, timeout_s=1)[:number])
        run_all(old.come_back(spec, trip, starts=True))
        assert old.state(spec.id).power == PowerState.RUNNING
        assert not [name for name in files_of(tmp_path / "old", spec) if "moves" in name]


def test_its_own_host_may_be_the_new_one(hosts: list[Any], spec: GuestSpec) -> None:
    old, _new = hosts
    trip = gone(old, spec)
    run_all(old.arrive(larger(spec), trip, starts=True))
    assert sizes(old, spec)["vda"] == 2048
    run_all(old.clear(ref(spec)))
    run_all(old.come_back(spec, trip, starts=True))
    assert sizes(old, spec)["vda"] == 1024


def test_deleted_it_leaves_nothing_on_the_host_that_it_left(hosts: list[Any], spec: GuestSpec, tmp_path: Path) -> None:
    old, _new = hosts
    gone(old, spec)
    run_all(old.destroy(ref(spec)))
    assert old.leftovers(frozenset()) == []
    assert files_of(tmp_path / "old", spec) == []


def test_a_disk_does_not_shrink(hosts: list[Any], spec: GuestSpec) -> None:
    old, new = hosts
    big = larger(spec, root_gb=3)
    trip = gone(old, big)
    with pytest.raises(Fatal, match="Unable to resize disk down"):
        run_all(new.arrive(larger(spec, root_gb=2), trip, starts=True))


def test_other_bytes_are_not_taken(hosts: list[Any], spec: GuestSpec, images: ImagesInMemory) -> None:
    old, new = hosts
    trip = gone(old, spec)
    images.stored[f"{trip.id}/vda"] += b"!"
    with pytest.raises(Fatal):
        run_all(new.arrive(larger(spec), trip, starts=True))


def test_a_file_that_opens_another_is_not_taken(tmp_path: Path, images: ImagesInMemory, spec: GuestSpec) -> None:
    """S01: whatever the other host sends."""

    evil = tmp_path / "evil"
    qemu_img.create_overlay(evil, 2**30, base=tmp_path / "secret", base_format="raw")
    images.stored[f"{TRIP.id}/vda"] = evil.read_bytes()
    disk = CarriedDisk("vda", "root", hashlib.sha512(evil.read_bytes()).hexdigest(), 2**30)
    (tmp_path / "host").mkdir()
    new: Driver | Any = libvirt_host(tmp_path / "host", images)
    new.start()
    with pytest.raises(Fatal, match="backing file"):
        run_all(new.arrive(spec, Trip(TRIP.id, (disk,)), starts=True))
    new.close()
