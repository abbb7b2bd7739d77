"""Local compute hosts: two libvirtds on one machine, healed when something is lost, and gone without a trace."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from computecloud.core.command import run
from deploy import hosts
from deploy.hosts import namespaces, records

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0 or shutil.which("libvirtd") is None, reason="needs root and libvirtd"),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("cc-hosts")
    yield place
    hosts.down(place, purge=True)


@pytest.fixture
def state_dir(place: Path) -> Path:
    """Two hosts that stand, whatever the test before did to them."""
    hosts.up(place, ["compute1", "compute2"], start=True)
    return place


def ask(one: hosts.Host, *command: str) -> str:
    return run([*one.enter, *command]).decode().strip()


def test_each_host_has_a_libvirtd_a_name_and_a_uuid_of_its_own(state_dir: Path) -> None:
    one, two = hosts.hosts(state_dir)
    assert ask(one, "virsh", "-c", "qemu:///system", "hostname") == "compute1"
    assert ask(two, "virsh", "-c", "qemu:///system", "hostname") == "compute2"
    assert one.uuid in ask(one, "virsh", "-c", "qemu:///system", "capabilities")
    assert two.uuid in ask(two, "virsh", "-c", "qemu:///system", "capabilities")
    assert run(["virsh", "-c", one.uri, "hostname"]).decode().strip() == "compute1"


def test_hosts_reach_each_other_and_the_machine_by_name(state_dir: Path) -> None:
    one, _two = hosts.hosts(state_dir)
    assert ask(one, "getent", "hosts", "compute2").split()[0] == hosts.host(state_dir, "compute2").address
    ask(one, "ping", "-c", "1", "-W", "2", "compute2")
    ask(one, "ping", "-c", "1", "-W", "2", hosts.gateway(state_dir))


def test_a_host_sees_its_own_devices_and_forwards_nothing(state_dir: Path) -> None:
    one, _two = hosts.hosts(state_dir)
    assert set(ask(one, "ls", "/sys/class/net").split()) >= {"lo", "underlay0"}
    assert "eth0" not in ask(one, "ls", "/sys/class/net").split()
    assert ask(one, "cat", "/proc/sys/net/ipv4/ip_forward") == "0"


def test_a_second_up_changes_nothing(state_dir: Path) -> None:
    before = hosts.status(state_dir)
    hosts.up(state_dir, ["compute1", "compute2"], start=True)
    assert hosts.status(state_dir) == before
    assert all(one.libvirtd_answers and one.virtlogd_answers for one in before)


def test_killed_libvirtd_comes_back(state_dir: Path) -> None:
    one = hosts.host(state_dir, "compute1")
    pid = int((one.folder / "run" / "libvirtd.pid").read_text())
    namespaces._end([pid], signal.SIGKILL, 5)
    hosts.up(state_dir, [], start=True)
    assert hosts.status(state_dir)[0].libvirtd_answers


def test_lost_namespaces_and_devices_are_made_again(state_dir: Path) -> None:
    two = hosts.host(state_dir, "compute2")
    namespaces.end_processes(two)
    namespaces.release(two)
    assert not hosts.status(state_dir)[1].is_prepared
    healed = hosts.prepare(state_dir, "compute2")
    assert healed == two
    ask(two, "ping", "-c", "1", "-W", "2", hosts.gateway(state_dir))


def test_two_state_folders_stand_side_by_side_and_down_takes_only_its_own(state_dir: Path, tmp_path: Path) -> None:
    other = hosts.up(tmp_path, ["compute1"])[0]
    assert other.leg != hosts.host(state_dir, "compute1").leg
    assert hosts.gateway(tmp_path) != hosts.gateway(state_dir)
    hosts.down(tmp_path, purge=True)
    links = run(["ip", "-br", "link"]).decode()
    assert other.leg not in links
    assert hosts.host(state_dir, "compute1").leg in links
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


def test_a_network_that_was_lost_while_down_is_replaced(tmp_path: Path) -> None:
    first = hosts.up(tmp_path / "a", ["compute1"])[0]
    taken = str(records.load(tmp_path / "a").cidr)
    hosts.down(tmp_path / "a")
    hosts.up(tmp_path / "b", ["compute1"], network=taken)
    again = hosts.up(tmp_path / "a", ["compute1"])[0]
    assert again.uuid == first.uuid
    assert again.address != first.address
    ask(again, "ping", "-c", "1", "-W", "2", again.gateway)
    for place in ("a", "b"):
        hosts.down(tmp_path / place, purge=True)


@pytest.mark.parametrize("name", ["", "-x", "Compute1", "a/b", "a\nb", "x" * 40])
def test_bad_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(hosts.BadHosts):
        hosts.up(tmp_path, [name])
    hosts.down(tmp_path, purge=True)


def test_a_network_in_use_is_refused(tmp_path: Path, state_dir: Path) -> None:
    taken = str(records.load(state_dir).cidr)
    with pytest.raises(hosts.BadHosts, match="in use"):
        hosts.up(tmp_path, ["compute1"], network=taken)
