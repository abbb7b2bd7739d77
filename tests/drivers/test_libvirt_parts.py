"""The libvirt driver's smaller parts: its options, its errors, what it reads of the machine and of the console."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

pytest.importorskip("libvirt")

import libvirt

from hosts.drivers.base import Driver
from hosts.drivers.errors import DriverError, Fatal, GuestNotFound, Transient, Unsupported
from hosts.drivers.libvirt import console_log
from hosts.drivers.libvirt.driver import LibvirtDriver, make
from hosts.drivers.libvirt.errors import translate
from hosts.drivers.libvirt.options import parse
from hosts.drivers.specs import PowerState
from hosts.drivers.steps import OutsideStep, run_all
from tests.drivers import build


@pytest.fixture
def driver(tmp_path: Path) -> LibvirtDriver:
    node = tmp_path / "node.xml"
    node.write_text("<node/>")
    options = {"uri": f"test://{node}", "virt_type": "test", "arch": "i686", "share": 0.5, "disk_ratio": 3, "vcpus": 4}
    made = make(options, None, tmp_path / "host", "")
    made.start()
    return made


def failure(code: int, message: str = "broken") -> libvirt.libvirtError:
    error = libvirt.libvirtError(message)
    error.err = (code, libvirt.VIR_FROM_QEMU, message, 0, "", None, None, 0, 0)
    return error


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        (libvirt.VIR_ERR_NO_DOMAIN, "Domain not found", GuestNotFound),
        (libvirt.VIR_ERR_OPERATION_TIMEOUT, "cannot acquire state change lock", Transient),
        (libvirt.VIR_ERR_SYSTEM_ERROR, "Connection reset by peer", Transient),
        (libvirt.VIR_ERR_INTERNAL_ERROR, "client socket is closed", Transient),
        (libvirt.VIR_ERR_INTERNAL_ERROR, "process exited while connecting to monitor", Fatal),
        (libvirt.VIR_ERR_CONFIG_UNSUPPORTED, "no such machine", Unsupported),
        (libvirt.VIR_ERR_XML_ERROR, "bad XML", Fatal),
    ],
)
def test_errors_become_ours(code: int, message: str, kind: type[DriverError]) -> None:
    assert type(translate(failure(code, message), "starting x")) is kind


def test_unknown_options_are_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="virtype"):
        parse({"virtype": "kvm"})
    with pytest.raises(msgspec.ValidationError):
        parse({"share": "half"})


def test_the_inventory_is_divided_by_the_options(driver: LibvirtDriver) -> None:
    totals = driver.inventory()

    assert (totals.vcpus, totals.ram_mb, totals.disk_ratio) == (4, 1536, 3)  # the test driver's node has 3 GB
    assert totals.traits == tuple(sorted(totals.traits))


def test_the_disk_total_does_not_move_with_what_is_written(driver: LibvirtDriver, tmp_path: Path) -> None:
    before = driver.inventory().disk_gb
    (tmp_path / "host" / "big").write_bytes(b"x" * 2**20)

    assert driver.inventory().disk_gb == before
    assert (tmp_path / "host" / "capacity.json").exists()


def test_a_change_outside_a_step_is_a_mistake(driver: LibvirtDriver) -> None:
    with pytest.raises(OutsideStep):
        driver.spawn(build.guest())[-1].ensure()


def test_a_host_without_networks_refuses_ports(driver: LibvirtDriver) -> None:
    with pytest.raises(Fatal, match="carries no networks"):
        run_all(driver.spawn(build.guest(nics=(build.nic(),))))


def test_domains_of_others_are_not_ours(driver: LibvirtDriver) -> None:
    stranger = build.guest().id
    xml = (
        f"<domain type='test'><name>other</name><uuid>{stranger}</uuid><memory>1024</memory>"
        "<os><type arch='i686'>hvm</type></os></domain>"
    )
    driver.host.connection.ask("making a stranger", lambda connection: connection.createXML(xml))

    assert driver.list() == []
    assert driver.leftovers(frozenset()) == []
    assert (driver.state(stranger).power, driver.state(stranger).epoch) == (PowerState.RUNNING, -1)


def test_the_driver_is_silent_about_a_daemon_that_is_not_there(tmp_path: Path) -> None:
    made: Driver = make(
        {"uri": f"qemu:///system?socket={tmp_path}/nobody", "virt_type": "qemu"}, None, tmp_path / "h", ""
    )
    made.start()

    with pytest.raises(Transient, match="does not answer"):
        made.list()
    made.close()


def test_the_end_of_a_console_goes_on_into_the_rotated_file(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    assert console_log.tail(log, 10) == b""
    (tmp_path / "console.log.0").write_bytes(b"0123456789")
    log.write_bytes(b"abcde")

    assert console_log.tail(log, 8) == b"789abcde"
    assert console_log.tail(log, 3) == b"cde"
    assert console_log.tail(log, 0) == b""
