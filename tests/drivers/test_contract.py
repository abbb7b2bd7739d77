"""What every driver promises. One suite, run on each driver that this machine can carry."""

from __future__ import annotations

import dataclasses
import importlib
import os
import re
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from hosts.drivers import registry
from hosts.drivers.base import Driver, Pausable, Rebooting, Rebuilding, Rescuing, Snapshotting, Suspending
from hosts.drivers.errors import Fatal, GuestNotFound
from hosts.drivers.fake.driver import FakeDriver
from hosts.drivers.specs import DiskSpec, GuestRef, GuestSpec, NicSpec, PowerState, RescueSpec, Step
from hosts.drivers.steps import run, run_all, undo
from integrations.images.inspect import Head, Rules, judge
from tests.drivers import build
from tests.drivers.build import ImagesInMemory, ref

SPAWN = ["fetch_images", "make_disks", "config_drive", "plug_ports", "define", "start"]
DESTROY = ["stop", "undefine", "unplug_ports", "remove_disks"]


@pytest.fixture
def images() -> ImagesInMemory:
    return ImagesInMemory()


@pytest.fixture
def spec(images: ImagesInMemory) -> GuestSpec:
    return build.guest(
        arch="i686",
        machine_type="pc",
        disks=(build.root(images.add(b"\0" * 2**20)),),
        nics=(build.nic(),),
        config_drive=build.config_drive(),
    )


@pytest.fixture(params=["fake", "libvirt"])
def driver(request: pytest.FixtureRequest, tmp_path: Path, images: ImagesInMemory) -> Iterator[Driver]:
    made = fake_host(tmp_path, images) if request.param == "fake" else libvirt_host(tmp_path, images)
    made.start()
    yield made
    made.close()


def fake_host(folder: Path, images: ImagesInMemory) -> Driver:
    return registry.make("fake", {}, images, folder)


def libvirt_host(folder: Path, images: ImagesInMemory) -> Driver:
    """On libvirt's own test driver: everything but QEMU and the networks is real."""
    pytest.importorskip("libvirt")
    module = importlib.import_module("hosts.drivers.libvirt.driver")
    node = folder / "node.xml"
    node.write_text("<node/>")
    options = {"uri": f"test://{node}", "virt_type": "test", "arch": "i686", "calls": 2}
    made = module.make(options, images, folder / "host", "", wires=NoWires())
    assert isinstance(made, Driver)
    return made


class NoWires:
    """A plumbing that knows names and lays no cables."""

    def ensure_network(self, network: object, peers: object) -> None: ...

    def ensure_port(self, nic: NicSpec) -> str:
        return f"tap{nic.port_id[-8:]}"

    def remove_port(self, port_id: str) -> None: ...

    def sync_peers(self, network_id: str, peers: object) -> None: ...


def test_the_steps_have_the_same_names_everywhere(driver: Driver, spec: GuestSpec) -> None:
    assert [step.name for step in driver.spawn(spec)] == SPAWN
    assert [step.name for step in driver.destroy(ref(spec))] == DESTROY


def test_a_spawned_guest_runs_and_carries_its_epoch(driver: Driver, spec: GuestSpec) -> None:
    run_all(driver.spawn(spec))

    state = driver.state(spec.id)

    assert (state.id, state.power, state.epoch) == (spec.id, PowerState.RUNNING, 1)
    assert [guest.id for guest in driver.list()] == [spec.id]
    assert driver.inventory().running_vms == 1


def test_each_step_done_twice_does_its_work_once(driver: Driver, spec: GuestSpec) -> None:
    for step in driver.spawn(spec):
        run(step)
        run(step)
    run_all(driver.spawn(spec))

    assert len(driver.list()) == 1


def test_destroy_leaves_nothing_and_may_be_repeated(driver: Driver, spec: GuestSpec, tmp_path: Path) -> None:
    run_all(driver.spawn(spec))
    for step in driver.destroy(ref(spec)):
        run(step)
        run(step)
    run_all(driver.destroy(ref(spec)))

    assert driver.list() == []
    assert driver.leftovers(frozenset()) == []
    assert list(tmp_path.rglob(f"*{spec.id}*")) == []
    with pytest.raises(GuestNotFound):
        driver.state(spec.id)


@pytest.mark.parametrize("done", range(len(SPAWN) + 1))
def test_a_build_that_stops_anywhere_can_be_undone(driver: Driver, spec: GuestSpec, done: int) -> None:
    steps = driver.spawn(spec)
    for step in steps[:done]:
        run(step)
    for step in reversed(steps):
        undo(step)

    assert driver.leftovers(frozenset()) == []


@pytest.mark.parametrize("done", range(len(SPAWN)))
def test_a_build_that_stops_anywhere_can_be_finished(driver: Driver, spec: GuestSpec, done: int) -> None:
    for step in driver.spawn(spec)[:done]:
        run(step)
    run_all(driver.spawn(spec))

    assert driver.state(spec.id).power == PowerState.RUNNING


def test_half_a_guest_is_a_leftover_until_it_is_known(driver: Driver, spec: GuestSpec) -> None:
    for step in driver.spawn(spec)[:2]:
        run(step)

    assert driver.leftovers(frozenset()) == [spec.id]
    assert driver.leftovers(frozenset({spec.id})) == []


def test_power_off_and_on(driver: Driver, spec: GuestSpec) -> None:
    run_all(driver.spawn(spec))

    run_all(driver.power_off(ref(spec)))
    run_all(driver.power_off(ref(spec)))
    assert driver.state(spec.id).power == PowerState.SHUTDOWN
    assert driver.inventory().running_vms == 0

    again = dataclasses.replace(spec, operation_id=str(uuid.uuid4()), epoch=2)
    run_all(driver.power_on(again))
    run_all(driver.power_on(again))
    assert driver.state(spec.id).power == PowerState.RUNNING
    assert driver.state(spec.id).epoch == 2


def test_power_on_does_not_invent_a_lost_disk(driver: Driver, spec: GuestSpec) -> None:
    run_all(driver.spawn(spec))
    run_all(driver.power_off(ref(spec)))
    more = dataclasses.replace(spec, disks=(*spec.disks, DiskSpec("ephemeral", 0, "vdb", 1)))

    with pytest.raises(Fatal, match="disk lost"):
        run_all(driver.power_on(more))


def test_hard_reboot_ends_in_running(driver: Driver, spec: GuestSpec) -> None:
    assert isinstance(driver, Rebooting)
    run_all(driver.spawn(spec))

    run_all(driver.reboot(dataclasses.replace(spec, operation_id=str(uuid.uuid4())), hard=True))

    assert driver.state(spec.id).power == PowerState.RUNNING


def test_a_paused_guest_stays_and_goes_on(driver: Driver, spec: GuestSpec) -> None:
    assert isinstance(driver, Pausable)
    run_all(driver.spawn(spec))

    run_all([*driver.pause(ref(spec)), *driver.pause(ref(spec))])
    assert driver.state(spec.id).power == PowerState.PAUSED

    run_all([*driver.unpause(ref(spec)), *driver.unpause(ref(spec))])
    assert driver.state(spec.id).power == PowerState.RUNNING


def test_a_guest_that_is_off_cannot_be_paused(driver: Driver, spec: GuestSpec) -> None:
    assert isinstance(driver, Pausable)
    run_all(driver.spawn(spec))
    run_all(driver.power_off(ref(spec)))

    for steps in (driver.pause(ref(spec)), driver.unpause(ref(spec))):
        with pytest.raises(Fatal):
            run_all(steps)


def test_a_suspended_guest_is_off_until_it_resumes(driver: Driver, spec: GuestSpec) -> None:
    assert isinstance(driver, Suspending)
    run_all(driver.spawn(spec))

    run_all([*driver.suspend(ref(spec)), *driver.suspend(ref(spec))])
    assert driver.state(spec.id).power == PowerState.SHUTDOWN

    again = dataclasses.replace(spec, operation_id=str(uuid.uuid4()))
    run_all([*driver.resume(again), *driver.resume(again)])
    assert driver.state(spec.id).power == PowerState.RUNNING


def test_a_suspended_guest_that_is_destroyed_leaves_nothing(driver: Driver, spec: GuestSpec) -> None:
    assert isinstance(driver, Suspending)
    run_all(driver.spawn(spec))
    run_all(driver.suspend(ref(spec)))

    run_all(driver.destroy(ref(spec)))

    assert driver.leftovers(frozenset()) == []


def rescued(spec: GuestSpec, images: ImagesInMemory) -> GuestSpec:
    disk = DiskSpec("rescue", 0, "rescue", 0, image=images.add(b"\1" * 2**20))
    return dataclasses.replace(spec, operation_id=str(uuid.uuid4()), rescue=RescueSpec(disk))


def again(spec: GuestSpec) -> GuestSpec:
    return dataclasses.replace(spec, operation_id=str(uuid.uuid4()))


REMAINS = re.compile("rescue|definition|before")


def remains(folder: Path) -> list[str]:
    """What a rescue leaves while it lasts, or what is only there while a verb changes a guest."""
    return sorted(path.name for path in folder.rglob("*") if REMAINS.search(path.name))


def test_a_guest_is_rescued_and_back_each_step_done_twice(
    driver: Driver, spec: GuestSpec, images: ImagesInMemory, tmp_path: Path
) -> None:
    assert isinstance(driver, Rescuing)
    run_all(driver.spawn(spec))

    twice(driver.rescue(rescued(spec, images), was_on=True, timeout_s=0))
    assert driver.state(spec.id).power == PowerState.RUNNING

    twice(driver.unrescue(again(spec), timeout_s=0))
    assert driver.state(spec.id).power == PowerState.RUNNING
    assert remains(tmp_path) == []


def twice(steps: Iterable[Step]) -> None:
    for step in steps:
        run(step)
        run(step)


RESCUE = [
    "check_disks", "fetch_images", "make_rescue_disk", "rescue_drive", "keep_definition", "shut_down", "stop",
    "plug_ports", "define", "start", "forget_definition",
]  # fmt: skip
UNRESCUE = [
    "check_disks", "keep_definition", "shut_down", "stop", "plug_ports", "define", "start", "remove_rescue_disk",
]  # fmt: skip


@pytest.mark.parametrize("done", range(len(RESCUE)))
@pytest.mark.parametrize("was_on", [True, False])
def test_a_rescue_that_fails_anywhere_leaves_the_guest_as_it_was(
    driver: Driver, spec: GuestSpec, images: ImagesInMemory, tmp_path: Path, done: int, was_on: bool
) -> None:
    assert isinstance(driver, Rescuing)
    run_all(driver.spawn(spec))
    if not was_on:
        run_all(driver.power_off(ref(spec)))
    before = driver.state(spec.id)

    steps = driver.rescue(rescued(spec, images), was_on=was_on, timeout_s=0)
    assert [step.name for step in steps] == RESCUE
    assert [step.tidies for step in steps] == [False] * (len(RESCUE) - 1) + [True]
    build.undone(steps[:done])

    assert driver.state(spec.id) == before
    assert remains(tmp_path) == []
    run_all(driver.reboot(again(spec), hard=True) if isinstance(driver, Rebooting) else ())
    assert driver.state(spec.id).power == PowerState.RUNNING


@pytest.mark.parametrize("done", range(len(UNRESCUE)))
def test_a_way_back_that_fails_anywhere_leaves_it_rescued(
    driver: Driver, spec: GuestSpec, images: ImagesInMemory, tmp_path: Path, done: int
) -> None:
    assert isinstance(driver, Rescuing)
    run_all(driver.spawn(spec))
    run_all(driver.rescue(rescued(spec, images), was_on=True, timeout_s=0))
    kept = remains(tmp_path)

    steps = driver.unrescue(again(spec), timeout_s=0)
    assert [step.name for step in steps] == UNRESCUE
    build.undone(steps[:done])

    assert driver.state(spec.id).power == PowerState.RUNNING
    assert remains(tmp_path) == kept
    run_all(driver.unrescue(again(spec), timeout_s=0))
    assert remains(tmp_path) == []


def test_another_rescue_does_not_boot_from_what_an_earlier_one_left(
    driver: Driver, spec: GuestSpec, images: ImagesInMemory
) -> None:
    assert isinstance(driver, Rescuing)
    run_all(driver.spawn(spec))
    run_all(list(driver.rescue(rescued(spec, images), was_on=True, timeout_s=0))[:3])
    other = DiskSpec("rescue", 0, "rescue", 0, image=images.add(b"\2" * 2**20))

    run_all(driver.rescue(dataclasses.replace(again(spec), rescue=RescueSpec(other)), was_on=True, timeout_s=0))
    assert driver.state(spec.id).power == PowerState.RUNNING


def test_a_guest_that_is_destroyed_while_it_is_rescued_leaves_nothing(
    driver: Driver, spec: GuestSpec, images: ImagesInMemory, tmp_path: Path
) -> None:
    assert isinstance(driver, Rescuing)
    run_all(driver.spawn(spec))
    run_all(driver.rescue(rescued(spec, images), was_on=True, timeout_s=0))

    run_all(driver.destroy(ref(spec)))

    assert driver.leftovers(frozenset()) == []
    assert list(tmp_path.rglob(f"*{spec.id}*")) == []


REBUILD = [
    "fetch_images", "keep_definition", "shut_down", "stop", "keep_disks", "make_disks", "config_drive", "plug_ports",
    "define", "start", "forget_disks",
]  # fmt: skip
EPHEMERAL = DiskSpec("ephemeral", 1, "vdb", 1)


def rebuilt(spec: GuestSpec, images: ImagesInMemory) -> GuestSpec:
    disks = (build.root(images.add(b"\3" * 2**20)), *spec.disks[1:])
    return dataclasses.replace(again(spec), disks=disks)


def disks_of(driver: Driver, spec: GuestSpec, folder: Path) -> object:
    """What distinguishes the disks that are there from others: files, or what a simulated guest has written down."""
    if isinstance(driver, FakeDriver):
        guest = driver.known(spec.id)
        return guest.disks, guest.image, guest.kept
    return sorted((path.name, path.stat().st_ino) for path in folder.rglob("*") if path.name.startswith("disk-"))


@pytest.mark.parametrize("done", range(len(REBUILD)))
@pytest.mark.parametrize("was_on", [True, False])
@pytest.mark.parametrize("keeps", [True, False])
def test_a_rebuild_that_fails_anywhere_leaves_the_guest_as_it_was(
    driver: Driver, spec: GuestSpec, images: ImagesInMemory, tmp_path: Path, done: int, was_on: bool, keeps: bool
) -> None:
    assert isinstance(driver, Rebuilding)
    spec = dataclasses.replace(spec, disks=(*spec.disks, EPHEMERAL))
    run_all(driver.spawn(spec))
    if not was_on:
        run_all(driver.power_off(ref(spec)))
    before = driver.state(spec.id), disks_of(driver, spec, tmp_path)

    wanted = rebuilt(spec, images)
    steps = driver.rebuild(wanted, was_on=was_on, starts=True, keeps_ephemeral=keeps, timeout_s=0)
    assert [step.name for step in steps] == REBUILD
    build.undone(steps[:done])

    assert (driver.state(spec.id), disks_of(driver, spec, tmp_path)) == before
    assert remains(tmp_path) == []


@pytest.mark.parametrize("keeps", [True, False])
@pytest.mark.parametrize("starts", [True, False])
def test_a_rebuilt_guest_has_new_disks_and_may_keep_its_ephemeral_ones(
    driver: Driver, spec: GuestSpec, images: ImagesInMemory, tmp_path: Path, keeps: bool, starts: bool
) -> None:
    assert isinstance(driver, Rebuilding)
    spec = dataclasses.replace(spec, disks=(*spec.disks, EPHEMERAL))
    run_all(driver.spawn(spec))
    marks = list(tmp_path.rglob("disk-vd?"))
    for path in marks:
        os.truncate(path, 512)  # what stays keeps this odd size

    twice(driver.rebuild(rebuilt(spec, images), was_on=True, starts=starts, keeps_ephemeral=keeps, timeout_s=0))

    assert driver.state(spec.id).power == (PowerState.RUNNING if starts else PowerState.SHUTDOWN)
    odd = {path.name for path in marks if path.stat().st_size == 512}
    assert odd == ({"disk-vdb"} if keeps and marks else set())
    assert remains(tmp_path) == []
    if isinstance(driver, FakeDriver):
        assert driver.known(spec.id).image == rebuilt(spec, images).disks[0].image.id  # type: ignore[union-attr]


def test_half_a_rebuild_is_finished_by_the_next_attempt(
    driver: Driver, spec: GuestSpec, images: ImagesInMemory, tmp_path: Path
) -> None:
    assert isinstance(driver, Rebuilding)
    run_all(driver.spawn(spec))
    wanted = rebuilt(spec, images)
    for done in range(len(REBUILD)):
        run_all(list(driver.rebuild(wanted, was_on=True, starts=True, keeps_ephemeral=False, timeout_s=0))[:done])
    run_all(driver.rebuild(wanted, was_on=True, starts=True, keeps_ephemeral=False, timeout_s=0))

    assert driver.state(spec.id).power == PowerState.RUNNING
    assert remains(tmp_path) == []


def test_an_image_of_a_guest_that_is_off(
    driver: Driver, spec: GuestSpec, images: ImagesInMemory, tmp_path: Path
) -> None:
    assert isinstance(driver, Snapshotting)
    run_all(driver.spawn(spec))
    run_all(driver.power_off(ref(spec)))
    image_id = str(uuid.uuid4())

    run_all([*driver.snapshot(ref(spec), image_id), *driver.snapshot(ref(spec), image_id)])

    whole = Head(images.stored[image_id], complete=True)
    assert judge(whole, "qcow2", Rules(max_virtual_bytes=2**40)) == 2**30
    assert list(tmp_path.rglob("*snapshot-*")) == []
    assert driver.leftovers(frozenset({spec.id})) == []


def test_half_a_snapshot_leaves_with_its_guest(driver: Driver, spec: GuestSpec, tmp_path: Path) -> None:
    assert isinstance(driver, Snapshotting)
    run_all(driver.spawn(spec))
    run_all(driver.power_off(ref(spec)))
    run(driver.snapshot(ref(spec), str(uuid.uuid4()))[0])

    run_all(driver.destroy(ref(spec)))

    assert list(tmp_path.rglob(f"*{ref(spec).operation_id}*")) == []


def test_a_guest_that_is_not_there(driver: Driver) -> None:
    nobody = str(uuid.uuid4())
    with pytest.raises(GuestNotFound):
        driver.state(nobody)
    with pytest.raises(GuestNotFound):
        run_all(driver.power_on(build.guest(id=nobody)))
    run_all(driver.destroy(GuestRef(nobody, 1)))


@pytest.mark.parametrize("bad", ["../x", "", "-o", "a/b", "x" * 65, "a b"])
def test_an_id_that_is_not_an_id_never_reaches_the_disk(driver: Driver, bad: str) -> None:
    with pytest.raises(Fatal):
        run_all(driver.spawn(build.guest(id=bad, disks=(build.root(None),))))
