"""What happens around the driver when libvirtd or one QEMU dies or hangs (fault rows F27 to F29)."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("libvirt")

from deploy import hosts
from deploy.hosts.layout import Host
from hosts.drivers import registry
from hosts.drivers.errors import DriverError, Transient
from hosts.drivers.libvirt.driver import LibvirtDriver
from hosts.drivers.specs import GuestSpec, PowerState
from hosts.drivers.steps import run_all
from tests.drivers import build
from tests.drivers.build import ImagesInMemory, ref
from tests.real.libvirt_host import again, driver, eventually, images, machine, spec

__all__ = ["driver", "images", "machine", "spec"]  # fixtures
pytestmark = [
    pytest.mark.real,
    pytest.mark.faults,
    pytest.mark.skipif(os.geteuid() != 0 or shutil.which("libvirtd") is None, reason="needs root and libvirtd"),
]


def libvirtd_of(machine: Host) -> int:
    return int((machine.folder / "run" / "libvirtd.pid").read_text())


def qemu_of(machine: Host, guest_id: str) -> int:
    return int((machine.folder / "run" / "qemu" / f"instance-{guest_id}.pid").read_text())


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def answers(driver: LibvirtDriver) -> bool:
    try:
        driver.list()
    except Transient:
        return False
    return True


def test_guests_outlive_libvirtd_and_the_driver_finds_it_again(
    driver: LibvirtDriver, spec: GuestSpec, machine: Host
) -> None:
    """F27."""
    run_all(driver.spawn(spec))
    heard: list[str] = []
    driver.on_change(heard.append)

    os.kill(libvirtd_of(machine), signal.SIGKILL)
    assert eventually(lambda: not answers(driver))
    hosts.up(machine.folder.parent.parent, [], start=True)

    assert eventually(lambda: answers(driver), within_s=15)
    assert driver.state(spec.id).power == PowerState.RUNNING
    assert eventually(lambda: spec.id in heard)  # everything is read again
    run_all(driver.reboot(again(spec), hard=True))
    assert driver.state(spec.id).power == PowerState.RUNNING


def test_an_agent_may_start_before_libvirtd(machine: Host, tmp_path: Path, images: ImagesInMemory) -> None:
    os.kill(libvirtd_of(machine), signal.SIGKILL)
    assert eventually(lambda: not machine.socket.exists() or not _accepts(machine))
    made = registry.make("libvirt", {"uri": machine.uri, "network": "none"}, images, tmp_path)
    assert isinstance(made, LibvirtDriver)
    made.start()
    with pytest.raises(Transient):
        made.inventory()

    hosts.up(machine.folder.parent.parent, [], start=True)

    assert eventually(lambda: answers(made), within_s=15)
    assert made.inventory().vcpus == os.cpu_count()
    made.close()


def test_a_hanging_libvirtd_costs_a_deadline_and_no_more(
    machine: Host, tmp_path: Path, images: ImagesInMemory, spec: GuestSpec
) -> None:
    """F28."""
    made = registry.make("libvirt", {"uri": machine.uri, "network": "none", "deadline_s": 1.0}, images, tmp_path)
    assert isinstance(made, LibvirtDriver)
    made.start()
    with stopped(libvirtd_of(machine)):
        for _ in range(3):
            began = time.monotonic()
            with pytest.raises(Transient, match=r"unknown|answer"):
                made.state(spec.id)
            assert time.monotonic() - began < 2

    assert eventually(lambda: answers(made), within_s=20)
    made.close()


def test_one_frozen_guest_does_not_stop_the_others(driver: LibvirtDriver, spec: GuestSpec, machine: Host) -> None:
    """F29; and a frozen process can still be destroyed."""
    other = build.guest(disks=(build.root(spec.disks[0].image),))
    run_all(driver.spawn(spec))
    pid = qemu_of(machine, spec.id)
    os.kill(pid, signal.SIGSTOP)

    run_all(driver.spawn(other))
    assert driver.state(other.id).power == PowerState.RUNNING

    run_all(driver.destroy(ref(spec)))
    assert driver.leftovers(frozenset({other.id})) == []
    assert eventually(
        lambda: not Path(f"/proc/{pid}/cmdline").exists() or not Path(f"/proc/{pid}/cmdline").read_bytes()
    )


def _accepts(machine: Host) -> bool:
    try:
        return hosts.status(machine.folder.parent.parent)[0].libvirtd_answers
    except DriverError:
        return False
