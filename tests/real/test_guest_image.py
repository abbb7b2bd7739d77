"""The guest image on a bare QEMU in software: what a cloud expects of an image, without any of the cloud."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import guest
from deploy.cloud import free_port
from hosts.drivers.libvirt import config_drive

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0 or shutil.which("qemu-system-x86_64") is None, reason="needs root and QEMU"),
]
PORT = free_port()
PASSWORD = "Not-A-Default-42"
SCRIPT = """#!/bin/sh
echo "name $(hostname), user $(whoami), root $(df -m / | awk 'NR == 2 {print $2}') MB"
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("image") / "guest.qcow2"
    mask = os.umask(0o077)  # as `./cloud up` builds it
    try:
        guest.build(made)
    finally:
        os.umask(mask)
    return made


class Machine:
    """A running QEMU, its serial console and its monitor (QMP)."""

    def __init__(self, folder: Path, image: Path, *extra: str) -> None:
        disk = folder / "disk.qcow2"
        create = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(image), str(disk), "1G"]
        subprocess.run(create, check=True)
        argv = [
            "qemu-system-x86_64",
            "-machine",
            "q35",
            "-accel",
            "tcg",
            "-m",
            "256",
            "-display",
            "none",
            "-nodefaults",
        ]
        argv += ["-vga", "std", "-serial", f"unix:{folder}/serial,server=on,wait=off,logfile={folder}/log"]
        argv += ["-qmp", f"unix:{folder}/qmp,server=on,wait=off", "-drive", f"file={disk},if=virtio"]
        argv += ["-device", "pcie-root-port,id=spare1,slot=1", "-device", "pcie-root-port,id=spare2,slot=2"]
        self.folder = folder
        self.process = subprocess.Popen([*argv, *extra], stdout=subprocess.DEVNULL)
        while not (folder / "qmp").exists():
            time.sleep(0.05)
        self.monitor = self._connect("qmp")
        self.qmp = self.monitor.makefile("rw")
        self.qmp.readline()
        self.ask("qmp_capabilities")
        self.serial = self._connect("serial")
        self.reader = threading.Thread(target=self._drain)
        self.reader.start()

    def _connect(self, name: str) -> socket.socket:
        link = socket.socket(socket.AF_UNIX)
        link.connect(str(self.folder / name))
        return link

    def _drain(self) -> None:
        """A guest stops when nobody takes what it writes; the log file keeps it for us."""
        while self.serial.recv(4096):
            pass

    def ask(self, command: str, **arguments: object) -> None:
        self.qmp.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.qmp.flush()
        while "return" not in (answer := json.loads(self.qmp.readline())):
            assert "error" not in answer, answer

    def console(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def wait(self, wanted: str, within_s: float = 90.0, times: int = 1) -> str:
        end = time.monotonic() + within_s
        while len(re.findall(wanted, self.console())) < times and time.monotonic() < end:
            time.sleep(0.1)
        assert len(re.findall(wanted, self.console())) >= times, self.console()[-3000:]
        return self.console()

    def type(self, text: str) -> None:
        self.serial.sendall(text.encode())

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.reader.join()
        for link in (self.qmp, self.monitor, self.serial):
            link.close()


@pytest.fixture
def machine(request: pytest.FixtureRequest, image: Path) -> Iterator[Machine]:
    """A guest with a nic behind QEMU's own network, and a config drive when the test gives one."""
    folder = Path(str(request.getfixturevalue("tmp_path")))
    extra = ["-netdev", f"user,id=n0,hostfwd=tcp:127.0.0.1:{PORT}-:22", "-device", "virtio-net-pci,netdev=n0"]
    files: dict[str, bytes] | None = getattr(request, "param", None)
    if files is not None:
        config_drive.write(folder / "config.iso", files, "x")
        extra += ["-drive", f"file={folder}/config.iso,if=virtio,format=raw,readonly=on"]
    made = Machine(folder, image, *extra)
    yield made
    made.end()


def drive(user_data: str = SCRIPT, **meta: object) -> dict[str, bytes]:
    data = {
        "uuid": "5d4f0c1b-0000-4000-8000-000000000001",
        "hostname": "gull.novalocal",
        "admin_pass": PASSWORD,
        **meta,
    }
    files = {"meta_data.json": json.dumps(data).encode(), "user_data": user_data.encode()}
    return {f"openstack/latest/{name}": content for name, content in files.items()}


@pytest.mark.parametrize("machine", [drive()], indirect=True, ids=["config drive"])
def test_a_guest_with_a_config_drive(machine: Machine) -> None:
    seen = machine.wait("user data ended with status 0")
    assert "computecloud-guest: eth0 10.0.2.15/24" in seen
    assert re.search(r"root file system grew from \d+ MB to 9\d\d MB", seen)
    assert re.search(r"name gull, user root, root 9\d\d MB", seen)
    machine.wait("gull login:")

    machine.type("computecloud\n")
    machine.wait("Password:")
    machine.type(f"{PASSWORD}\n")
    machine.wait(r"computecloud@gull:~\$")
    machine.type("id -u; echo done-$((40 + 2))\n")
    machine.wait("done-42")

    machine.ask("blockdev-add", **{"driver": "null-co", "node-name": "extra", "size": 64 * 2**20})
    machine.ask("device_add", driver="virtio-blk-pci", drive="extra", id="disk1", bus="spare1")
    machine.ask("netdev_add", type="user", id="n1", net="10.99.0.0/24")
    machine.ask("device_add", driver="virtio-net-pci", netdev="n1", id="nic1", bus="spare2")
    machine.wait("computecloud-guest: eth1 10.99.0.15/24")
    machine.type("ls /dev/vdc && echo disk-$((1 + 1))\n")
    machine.wait("disk-2")
    machine.ask("device_del", id="nic1")
    machine.wait("eth1 is gone")

    began = time.monotonic()
    machine.ask("system_powerdown")
    machine.process.wait(timeout=20)
    assert time.monotonic() - began < 10  # 2.3 s on a quiet machine
    assert "power button pressed" in machine.console()


def test_a_guest_without_config_drive_boots_and_lets_nobody_in(machine: Machine) -> None:
    for refused, (name, password) in enumerate((("root", ""), ("computecloud", ""), ("computecloud", "computecloud"))):
        machine.wait("guest login:", times=refused + 1)  # what is typed before a prompt is thrown away
        machine.type(f"{name}\n")
        machine.wait("Password:", times=refused + 1)
        machine.type(f"{password}\n")
        machine.wait("Login incorrect", times=refused + 1)


def test_an_ssh_key_opens_the_door(tmp_path: Path, image: Path) -> None:
    key = tmp_path / "key"
    shown = subprocess.run(["dropbearkey", "-t", "ed25519", "-f", str(key)], capture_output=True, text=True, check=True)
    public = next(line for line in shown.stdout.splitlines() if line.startswith("ssh-"))
    config = "#cloud-config\nhostname: tern\nssh_authorized_keys:\n  - " + public + "\n"
    config_drive.write(tmp_path / "config.iso", drive(config), "x")
    extra = ["-netdev", f"user,id=n0,hostfwd=tcp:127.0.0.1:{PORT}-:22", "-device", "virtio-net-pci,netdev=n0"]
    machine = Machine(tmp_path, image, *extra, "-drive", f"file={tmp_path}/config.iso,if=virtio,format=raw")
    try:
        machine.wait("cloud-config done")
        for user in ("computecloud", "root"):
            argv = ["dbclient", "-y", "-y", "-i", str(key), "-p", str(PORT), f"{user}@127.0.0.1", "hostname; whoami"]
            said = subprocess.run(argv, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
            assert said.stdout.split() == ["tern", user], said.stderr
    finally:
        machine.end()


def test_a_second_build_costs_nothing(image: Path) -> None:
    began = time.monotonic()
    assert guest.build(image) is False
    assert time.monotonic() - began < 1
    assert image.stat().st_size < 20 * 10**6
