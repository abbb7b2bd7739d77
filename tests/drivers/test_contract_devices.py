"""What every driver promises of a guest's nics, and of a way back from being off: each on the fake and on libvirt."""

from __future__ import annotations

import dataclasses
import uuid
from pathlib import Path

import pytest

from hosts.drivers.base import Driver, PasswordSetting, Plugging, Rescuing
from hosts.drivers.errors import Fatal, GuestNotFound
from hosts.drivers.fake.driver import FakeDriver
from hosts.drivers.specs import GuestSpec, NicSpec, PasswordSpec, PowerState
from hosts.drivers.steps import run_all
from tests.drivers import build
from tests.drivers.build import ref
from tests.drivers.test_contract import driver, images, remains, spec, twice

__all__ = ["driver", "images", "spec"]  # fixtures
ATTACH, DETACH = ["plug_ports", "attach_port", "define"], ["detach_port", "define", "unplug_port"]
UNRESCUE_STEPS = 8
SECOND = build.nic(2)


def wired(spec: GuestSpec, *nics: NicSpec) -> GuestSpec:
    """Under another operation, with these nics besides."""
    return dataclasses.replace(spec, nics=(*spec.nics, *nics), operation_id=str(uuid.uuid4()))


def ports(driver: Driver, spec: GuestSpec) -> tuple[set[str], set[str]]:
    """(what the host made for the guest, what the guest is defined with)."""
    if isinstance(driver, FakeDriver):
        guest = driver.guests.find(spec.id)
        assert guest is not None
        return set(guest.ports), set(guest.nics if guest.is_running else guest.ports)
    host = driver.host  # type: ignore[attr-defined]
    definition = host.domains.definition(spec.id)
    return set(host.ports.taps(spec.id)), {nic.port_id for nic in (*spec.nics, SECOND) if nic.mac in definition}


def off(driver: Driver, spec: GuestSpec) -> None:
    """libvirt's test driver has no devices to plug into a guest that runs; tests/real has."""
    run_all(driver.spawn(spec))
    if not isinstance(driver, FakeDriver):
        run_all(driver.power_off(ref(spec)))


def test_a_port_is_attached_and_detached_each_step_done_twice(driver: Driver, spec: GuestSpec) -> None:
    assert isinstance(driver, Plugging)
    off(driver, spec)
    first, second = spec.nics[0].port_id, SECOND.port_id

    attach = driver.attach_port(wired(spec, SECOND), second)
    assert [step.name for step in attach] == ATTACH
    twice(attach)
    assert ports(driver, spec) == ({first, second}, {first, second})

    detach = driver.detach_port(wired(spec, SECOND), second)
    assert [step.name for step in detach] == DETACH
    twice(detach)
    assert ports(driver, spec) == ({first}, {first})

    run_all(driver.detach_port(wired(spec), first))
    assert ports(driver, spec) == (set(), set())


@pytest.mark.parametrize("done", range(1, 4))
def test_an_attachment_that_fails_anywhere_leaves_nothing(driver: Driver, spec: GuestSpec, done: int) -> None:
    assert isinstance(driver, Plugging)
    off(driver, spec)
    before = ports(driver, spec)
    build.undone(driver.attach_port(wired(spec, SECOND), SECOND.port_id)[:done])
    assert ports(driver, spec) == before


@pytest.mark.parametrize("done", range(1, 4))
def test_a_detachment_that_fails_anywhere_leaves_it_attached(driver: Driver, spec: GuestSpec, done: int) -> None:
    assert isinstance(driver, Plugging)
    off(driver, spec)
    before = ports(driver, spec)
    build.undone(driver.detach_port(wired(spec), spec.nics[0].port_id)[:done])
    assert ports(driver, spec) == before


def test_a_port_that_was_never_plugged_is_detached_all_the_same(driver: Driver, spec: GuestSpec) -> None:
    """Nobody heard the end of its attachment."""
    assert isinstance(driver, Plugging)
    off(driver, spec)
    before = ports(driver, spec)
    run_all(driver.detach_port(wired(spec, SECOND), SECOND.port_id))
    assert ports(driver, spec) == before


def test_a_guest_that_is_off_boots_from_its_own_disk(driver: Driver, spec: GuestSpec, tmp_path: Path) -> None:
    """As a restored server does, whether it was rescued or not."""
    assert isinstance(driver, Rescuing)
    run_all(driver.spawn(spec))
    run_all(driver.power_off(ref(spec)))
    before = driver.state(spec.id)

    for done in range(UNRESCUE_STEPS):
        build.undone(driver.unrescue(wired(spec), was_on=False, timeout_s=0)[:done])
        assert driver.state(spec.id) == before
        assert remains(tmp_path) == []
    run_all(driver.unrescue(wired(spec), was_on=False, timeout_s=0))
    assert driver.state(spec.id).power == PowerState.RUNNING
    assert remains(tmp_path) == []


def test_a_guest_without_an_agent_says_so_and_nobody_hears_the_password(tmp_path: Path) -> None:
    driver = FakeDriver({}, None, tmp_path)
    wish = dataclasses.replace(build.guest(), password=PasswordSpec("root", "Secret-12345"))
    assert isinstance(driver, PasswordSetting)
    assert "Secret" not in repr(wish)
    with pytest.raises(GuestNotFound):
        run_all(driver.set_password(wish))
    run_all(driver.spawn(wish))
    with pytest.raises(Fatal, match=r"^QEMU guest agent is not enabled$"):
        run_all(driver.set_password(wish))
    agreed = dataclasses.replace(wish, image_properties={"hw_qemu_guest_agent": "yes"})
    run_all(driver.reboot(agreed, hard=True))
    twice(driver.set_password(agreed))
    assert "Secret" not in (tmp_path / "guests" / f"{wish.id}.json").read_text()
    run_all(driver.power_off(ref(agreed)))
    with pytest.raises(Fatal, match=f"Failed to set admin password on {wish.id} because instance .* is not running"):
        run_all(driver.set_password(agreed))
