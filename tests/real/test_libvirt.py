"""The libvirt driver on a real libvirtd and QEMU: from nothing to a running guest, and back to nothing."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import time
import uuid
from pathlib import Path

import pytest

pytest.importorskip("libvirt")

import libvirt

from deploy.hosts.layout import Host
from hosts.drivers.errors import Fatal
from hosts.drivers.libvirt.driver import LibvirtDriver
from hosts.drivers.specs import GuestSpec, PowerState
from hosts.drivers.steps import run, run_all
from tests.drivers import build
from tests.drivers.build import ImagesInMemory, ref
from tests.real.libvirt_host import again, driver, eventually, hellos, images, machine, spec, virsh

__all__ = ["driver", "images", "machine", "spec"]  # fixtures
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0 or shutil.which("libvirtd") is None, reason="needs root and libvirtd"),
]


def test_the_whole_road(driver: LibvirtDriver, spec: GuestSpec, tmp_path: Path) -> None:
    run_all(driver.spawn(spec))
    assert driver.state(spec.id).power == PowerState.RUNNING
    assert driver.state(spec.id).epoch == 1
    assert eventually(lambda: hellos(driver, spec) == 1), driver.console_log(spec.id)

    run_all(driver.power_off(ref(spec)))
    assert driver.state(spec.id).power == PowerState.SHUTDOWN

    run_all(driver.power_on(again(spec)))
    assert driver.state(spec.id).power == PowerState.RUNNING
    assert eventually(lambda: hellos(driver, spec) == 2)

    run_all(driver.destroy(ref(spec)))
    assert driver.list() == []
    assert driver.leftovers(frozenset()) == []
    assert list(tmp_path.rglob(f"*{spec.id}*")) == []


def test_a_guest_that_is_asked_switches_itself_off(driver: LibvirtDriver, spec: GuestSpec) -> None:
    run_all(driver.spawn(spec))
    assert eventually(lambda: hellos(driver, spec) == 1)
    began = time.monotonic()

    ask, force = driver.power_off(ref(spec), timeout_s=30)
    run(ask)

    assert driver.state(spec.id).power == PowerState.SHUTDOWN
    assert time.monotonic() - began < 8  # an event woke us, not the end of the time
    run(force)


def test_soft_and_hard_reboot_boot_once_each_however_often_delivered(driver: LibvirtDriver, spec: GuestSpec) -> None:
    run_all(driver.spawn(spec))
    assert eventually(lambda: hellos(driver, spec) == 1)

    soft = again(spec)
    run_all(driver.reboot(soft, hard=False, timeout_s=20))
    assert eventually(lambda: hellos(driver, spec) == 2)
    run_all(driver.reboot(soft, hard=False, timeout_s=20))

    hard = again(spec)
    run_all(driver.reboot(hard, hard=True))
    run_all(driver.reboot(hard, hard=True))
    assert eventually(lambda: hellos(driver, spec) == 3)
    assert driver.state(spec.id).power == PowerState.RUNNING


def test_a_paused_guest_does_nothing_until_it_goes_on(driver: LibvirtDriver, spec: GuestSpec) -> None:
    run_all(driver.spawn(spec))
    assert eventually(lambda: hellos(driver, spec) == 1)

    run_all(driver.pause(ref(spec)))
    run(driver.power_off(ref(spec), timeout_s=2)[0])  # its power button: a guest that runs switches itself off
    assert driver.state(spec.id).power == PowerState.PAUSED

    run_all(driver.unpause(ref(spec)))
    run(driver.power_off(ref(spec), timeout_s=30)[0])
    assert driver.state(spec.id).power == PowerState.SHUTDOWN


def test_a_suspended_guest_goes_on_where_it_was(driver: LibvirtDriver, spec: GuestSpec, machine: Host) -> None:
    run_all(driver.spawn(spec))
    assert eventually(lambda: hellos(driver, spec) == 1)

    run_all(driver.suspend(ref(spec)))
    assert driver.state(spec.id).power == PowerState.SHUTDOWN
    assert virsh(machine, "list", "--all", "--with-managed-save", "--uuid").split() == [spec.id]

    run_all(driver.resume(again(spec)))
    assert driver.state(spec.id).power == PowerState.RUNNING
    run(driver.power_off(ref(spec), timeout_s=30)[0])
    assert driver.state(spec.id).power == PowerState.SHUTDOWN
    assert hellos(driver, spec) == 1, "it booted instead of going on"


def test_a_hard_reboot_forgets_the_saved_memory(driver: LibvirtDriver, spec: GuestSpec) -> None:
    run_all(driver.spawn(spec))
    assert eventually(lambda: hellos(driver, spec) == 1)
    run_all(driver.suspend(ref(spec)))

    run_all(driver.reboot(again(spec), hard=True))

    assert eventually(lambda: hellos(driver, spec) == 2)


@pytest.mark.parametrize("state", ["running", "paused", "off"])
def test_an_image_of_a_guest_boots_and_the_guest_goes_on(
    driver: LibvirtDriver, spec: GuestSpec, images: ImagesInMemory, tmp_path: Path, state: str
) -> None:
    run_all(driver.spawn(spec))
    assert eventually(lambda: hellos(driver, spec) == 1)
    if state != "running":
        run_all(driver.pause(ref(spec)) if state == "paused" else driver.power_off(ref(spec)))
    before = driver.state(spec.id)
    image_id = str(uuid.uuid4())

    run_all(driver.snapshot(ref(spec), image_id))

    assert driver.state(spec.id) == before
    assert hellos(driver, spec) == 1
    assert list(tmp_path.rglob("snapshot-*")) == []
    copy = build.guest(disks=(build.root(images.add(images.stored[image_id], "qcow2")),))
    run_all(driver.spawn(copy))
    assert eventually(lambda: hellos(driver, copy) == 1)
    if state == "running":
        run(driver.power_off(ref(spec), timeout_s=30)[0])
        assert driver.state(spec.id).power == PowerState.SHUTDOWN, "it hears its power button: it goes on"


def test_a_copy_that_a_dead_worker_began_is_made_anew(
    driver: LibvirtDriver, spec: GuestSpec, images: ImagesInMemory, machine: Host
) -> None:
    run_all(driver.spawn(spec))
    assert eventually(lambda: hellos(driver, spec) == 1)
    folder = driver.host.disks.folder(spec.id)
    request = driver.host.state_dir / "backup.xml"  # in pull mode a backup lasts until it is called off
    request.write_text(
        f"<domainbackup mode='pull'><server transport='unix' socket='/tmp/{spec.id}'/><disks>"
        f"<disk name='vda' type='file'><driver type='qcow2'/><scratch file='{folder}/scratch'/></disk></disks>"
        "</domainbackup>"
    )
    virsh(machine, "backup-begin", f"instance-{spec.id}", str(request))
    assert "Backup" in virsh(machine, "domjobinfo", f"instance-{spec.id}")

    run_all(driver.snapshot(ref(spec), "image"))

    assert len(images.stored["image"]) > 0


def test_a_leftover_is_set_aside_whole_can_be_taken_back_and_goes_when_its_days_are_over(
    driver: LibvirtDriver, spec: GuestSpec, machine: Host
) -> None:
    run_all(driver.spawn(spec))
    assert eventually(lambda: hellos(driver, spec) == 1)
    folder = driver.host.disks.folder(spec.id)
    files = sorted(path.name for path in folder.iterdir())

    for _ in range(2):  # as a worker does that died in between
        for step in driver.set_aside(ref(spec)):
            run(step)
            run(step)

    assert spec.id not in virsh(machine, "list", "--all", "--uuid")
    assert driver.leftovers(frozenset()) == []
    [place] = driver.host.quarantine.held()
    assert sorted(path.name for path in (place / spec.id).iterdir()) == files
    assert driver.host.disks.bases() == {spec.disks[0].image.sha512}, "the image that its disk stands on stays"
    assert driver.reap(older_than_s=3600) == []

    (place / spec.id).rename(folder)  # it was a mistake
    run_all(driver.power_on(again(spec)))
    assert eventually(lambda: hellos(driver, spec) == 2), "it boots from the disks that it had"

    run_all(driver.set_aside(ref(spec)))
    assert driver.reap(older_than_s=0) == [spec.id], "once: what was taken back is not told of as removed"
    assert driver.host.quarantine.held() == []
    assert driver.host.disks.bases() == frozenset()


def test_events_tell_of_a_guest_that_went_away(driver: LibvirtDriver, spec: GuestSpec, machine: Host) -> None:
    heard: list[str] = []
    driver.on_change(heard.append)
    run_all(driver.spawn(spec))

    virsh(machine, "destroy", f"instance-{spec.id}")

    assert eventually(lambda: spec.id in heard and driver.state(spec.id).power == PowerState.SHUTDOWN)


def test_the_domain_has_exactly_the_planned_disks_and_no_port_open(
    driver: LibvirtDriver, spec: GuestSpec, machine: Host
) -> None:
    nasty = dataclasses.replace(
        spec, name="x</name><devices><disk type='file'><source file='/c'/></disk></devices><name>"
    )
    run_all(driver.spawn(nasty))

    block = virsh(machine, "domblklist", "--details", f"instance-{spec.id}")
    listening = subprocess.run([*machine.enter, "ss", "-ltnp"], capture_output=True, text=True, check=True).stdout
    assert [line.split()[2] for line in block.splitlines()[2:] if line.strip()] == ["vda", "vdb", "vdc", "vdz"]
    assert "qemu" not in listening


def test_files_are_for_their_owner_alone(driver: LibvirtDriver, spec: GuestSpec, tmp_path: Path) -> None:
    run_all(driver.spawn(spec))

    open_to_others = [path for path in tmp_path.rglob("*") if path.stat().st_mode & 0o077 and not path.is_socket()]

    assert open_to_others == []


def test_a_disk_that_pretends_to_be_qcow2_stays_raw(driver: LibvirtDriver, spec: GuestSpec, tmp_path: Path) -> None:
    """S04: the guest writes a qcow2 header with a foreign file into its raw disk; nothing ever looks at it."""
    run_all(driver.spawn(spec))
    run_all(driver.power_off(ref(spec)))
    canary = tmp_path / "canary.qcow2"
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-u", "-b", "/etc/hostname", "-F", "raw", canary, "1M"], check=True
    )
    with driver.host.disks.path(spec.id, "vdb").open("r+b") as disk:
        disk.write(canary.read_bytes())

    run_all(driver.power_on(again(spec)))

    live = driver.host.connection.ask("xml", lambda c: c.lookupByUUIDString(spec.id).XMLDesc())
    assert "/etc/hostname" not in live
    assert driver.state(spec.id).power == PowerState.RUNNING


def test_a_bad_image_is_refused_before_a_disk_exists(
    driver: LibvirtDriver, images: ImagesInMemory, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.qcow2"
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-u", "-b", "/etc/passwd", "-F", "raw", bad, "1M"], check=True
    )
    spec = build.guest(disks=(build.root(images.add(bad.read_bytes(), "qcow2")),))

    with pytest.raises(Fatal, match="backing file"):
        run_all(driver.spawn(spec))

    assert driver.leftovers(frozenset()) == []


def test_libvirt_finds_nothing_wrong_with_the_golden_files(driver: LibvirtDriver) -> None:
    for golden in sorted(Path("tests/drivers/golden").glob("*.xml")):
        if golden.stem in ("aarch64", "pc-kvm"):
            continue  # for other machines than this one
        text = golden.read_text()
        domain = driver.host.connection.ask(
            golden.stem, lambda c, text=text: c.defineXMLFlags(text, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
        )
        domain.undefine()


def test_the_inventory_is_of_this_machine(driver: LibvirtDriver) -> None:
    totals = driver.inventory()

    assert totals.vcpus == os.cpu_count()
    assert totals.ram_mb > 100
    assert totals.disk_gb > 0
    assert totals.hypervisor_version > 5_000_000
    assert "q35" in totals.machine_types
