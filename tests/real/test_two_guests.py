"""Real guests on two hosts of this machine: they get the addresses they were promised and reach each other."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from computecloud.core.command import run
from deploy import guest, hosts
from hosts.drivers.specs import (
    ConfigDriveSpec,
    DiskSpec,
    FixedIpSpec,
    GuestRef,
    GuestSpec,
    ImageSpec,
    NetworkSpec,
    NicSpec,
    PasswordSpec,
    PowerState,
)

pytest.importorskip("libvirt")
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0 or shutil.which("libvirtd") is None, reason="needs root and libvirtd"),
]
HERE = Path(__file__).parents[2]
BOOT_S = 90.0  # in software, on a busy machine
NETWORK = NetworkSpec(str(uuid4()), "private-net", 4242, 1450, ("10.77.0.0/24",), "10.77.0.2")
PING_FIRST = """#!/bin/sh
for try in $(seq 60); do
    ping -c 1 -W 1 10.77.0.11 && echo "reached the first guest" && exit 0
done
echo "did not reach the first guest"
"""


@dataclass
class Machine:
    """One compute host, its driver called as its agent would."""

    host: hosts.Host
    state: Path
    image: Path

    def call(self, call: str, **words: Any) -> Any:
        asked = {
            "call": call,
            "underlay": self.host.address,
            "state": str(self.state),
            "image": str(self.image),
            **words,
        }
        program = [*self.host.enter, sys.executable, "-m", "tests.real.driver_call"]
        said = run(program, data=msgspec.json.encode(asked), environment={"PYTHONPATH": str(HERE)}, timeout_s=180)
        return msgspec.json.decode(said.splitlines()[-1])

    def console(self, spec: GuestSpec) -> str:
        return str(self.call("console_log", id=spec.id))


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, Machine]]:
    place = tmp_path_factory.mktemp("two-guests")
    image = place / "guest.qcow2"
    guest.build(image)
    one, two = (
        Machine(host, place / f"{host.name}-agent", image)
        for host in hosts.up(place, ["compute1", "compute2"], start=True)
    )
    yield one, two
    hosts.down(place, purge=True)


def nic(name: str, last: int) -> NicSpec:
    fixed = FixedIpSpec(f"10.77.0.{last}", "10.77.0.0/24", "10.77.0.1", ("9.9.9.9",))
    return NicSpec(str(uuid4()), f"fa:16:3e:77:00:{last:02x}", NETWORK, (fixed,), hostname=name)


def make(machine: Machine, other: Machine, name: str, last: int, user_data: str) -> GuestSpec:
    data = machine.image.read_bytes()
    image = ImageSpec(str(uuid4()), hashlib.sha512(data).hexdigest(), len(data), "qcow2")
    server_id = str(uuid4())
    meta = {"uuid": server_id, "hostname": name, "admin_pass": "not-a-default-42", "public_keys": {}}
    drive = {"meta_data.json": json.dumps(meta).encode(), "user_data": user_data.encode()}
    return GuestSpec(
        id=server_id,
        name=name,
        project_id="a" * 32,
        epoch=1,
        operation_id=str(uuid4()),
        vcpus=1,
        ram_mb=256,
        disks=(DiskSpec("root", 0, "vda", 1, image=image),),
        nics=(nic(name, last),),
        config_drive=ConfigDriveSpec({f"openstack/latest/{file}": content for file, content in drive.items()}),
        peers=(other.host.address,),
    )


def eventually(look: Callable[[], str], wanted: str, within_s: float = BOOT_S) -> str:
    """What ``look`` shows, once it shows ``wanted`` (a regular expression)."""
    end = time.monotonic() + within_s
    while True:
        seen = look()
        if re.search(wanted, seen) or time.monotonic() > end:
            break
        time.sleep(1)
    assert re.search(wanted, seen), seen[-3000:]
    return seen


def test_two_guests_on_two_hosts_reach_each_other(machines: tuple[Machine, Machine]) -> None:
    one, two = machines
    first = make(one, two, "first", 11, "#!/bin/sh\necho nothing to do\n")
    second = make(two, one, "second", 12, PING_FIRST)
    one.call("spawn", guest=first)
    two.call("spawn", guest=second)

    seen = eventually(lambda: one.console(first), "first login:")
    assert "computecloud-guest: eth0 10.77.0.11/24" in seen
    assert "root file system grew" in seen
    seen = eventually(lambda: two.console(second), "reach(ed)? the first guest")
    assert "computecloud-guest: eth0 10.77.0.12/24" in seen
    assert "reached the first guest" in seen, seen[-3000:]

    # The power button: the guest goes down by itself, long before it would be forced.
    began = time.monotonic()
    one.call("power_off", ref=GuestRef(first.id, 1, str(uuid4())), timeout_s=60)
    assert time.monotonic() - began < 40
    assert one.call("state", id=first.id)["power"] == PowerState.SHUTDOWN
    assert "power button pressed" in one.console(first)

    for machine, spec in ((one, first), (two, second)):
        machine.call("destroy", ref=GuestRef(spec.id, 1, str(uuid4())))
        links = run([*machine.host.enter, "ip", "-br", "link"]).decode()
        assert not [line for line in links.splitlines() if line.startswith(("cc", "cb", "cx", "cd"))]
        assert not list(machine.state.rglob(f"*{spec.id}*"))


def test_a_guest_gets_an_interface_a_password_and_an_interrupt_while_it_runs(
    machines: tuple[Machine, Machine],
) -> None:
    one, two = machines
    spec = make(one, two, "plugged", 21, "#!/bin/sh\necho nothing to do\n")
    spec = replace(spec, image_properties={"hw_qemu_guest_agent": "yes"})
    one.call("spawn", guest=spec)
    eventually(lambda: one.console(spec), "plugged login:")

    second = nic("plugged", 22)
    wired = replace(spec, nics=(*spec.nics, second))
    for _ in range(2):  # delivered twice, it has one more nic
        one.call("attach_port", guest=wired, port_id=second.port_id)
    eventually(lambda: one.console(spec), r"computecloud-guest: eth1 10\.77\.0\.22/24")
    told = one.call("diagnostics", id=spec.id)
    assert [counted["mac"] for counted in told["nics"]] == [spec.nics[0].mac, second.mac]
    assert min(counted["tx_packets"] for counted in told["nics"]) > 0
    assert told["disks"][0]["read_bytes"] > 1_000_000
    assert told["cpu_times_ns"][0] > 1_000_000_000

    one.call("set_password", guest=replace(wired, password=PasswordSpec("computecloud", "Another-Secret-42")))
    assert "a new password was set" in one.console(spec)

    one.call("interrupt", ref=GuestRef(spec.id, 1, str(uuid4())))
    eventually(lambda: one.console(spec), "NMI received")

    for _ in range(2):
        one.call("detach_port", guest=wired, port_id=second.port_id)
    eventually(lambda: one.console(spec), "computecloud-guest: eth1 is gone")
    links = run([*one.host.enter, "ip", "-br", "link"]).decode()
    assert len([line for line in links.splitlines() if line.startswith("cc")]) == 1
    one.call("destroy", ref=GuestRef(spec.id, 1, str(uuid4())))
    assert not list(one.state.rglob(f"*{spec.id}*"))
