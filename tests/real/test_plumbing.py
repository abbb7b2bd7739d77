"""The data plane between two local hosts: addresses by DHCP, frames over VXLAN, nothing left when it is removed."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from computecloud.core.command import CommandFailed, run
from deploy import hosts
from hosts.drivers.specs import FixedIpSpec, NetworkSpec, NicSpec

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0 or shutil.which("dnsmasq") is None, reason="needs root and dnsmasq"),
]
HERE = Path(__file__).parents[2]
LEASE = """#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr replace $ip/$mask dev $interface
ip link set $interface mtu $mtu
echo "$ip/$mask router=$router mtu=$mtu dns=$dns routes=$staticroutes hostname=$hostname server=$serverid" >$answer
"""


@dataclass
class Side:
    """One host, and what the test does there."""

    host: hosts.Host
    state: Path

    def call(self, call: str, **words: Any) -> Any:
        asked = {"call": call, "underlay": self.host.address, "state": str(self.state), **words}
        program = [*self.host.enter, sys.executable, "-m", "tests.real.plumbing_call"]
        said = run(program, data=msgspec.json.encode(asked), environment={"PYTHONPATH": str(HERE)})
        return msgspec.json.decode(said.splitlines()[-1])  # log lines come before it

    def ask(self, *command: str) -> str:
        return run([*self.host.enter, *command]).decode()

    def plug(self, nic: NicSpec, peers: list[str]) -> str:
        self.call("ensure_network", network=nic.network, peers=peers)
        return str(self.call("ensure_port", nic=nic))

    def guest(self, nic: NicSpec) -> Guest:
        """A guest without a hypervisor: a namespace with a device in the port's bridge instead of a tap's reader."""
        return Guest(self, nic)


class Guest:
    def __init__(self, side: Side, nic: NicSpec) -> None:
        self.side, self.nic = side, nic
        short = nic.port_id[:8]
        self.folder = side.state.parent / f"guest-{short}"
        self.folder.mkdir()
        self.pid_file = self.folder / "pid"
        script = f"echo $$ >{self.pid_file}; exec sleep 600"
        run([*side.host.enter, "setsid", "--fork", "unshare", "--net", "sh", "-c", script + " <&- >&- 2>&-"])
        for _ in range(50):
            if self.pid_file.exists() and self.pid_file.read_text().strip():
                break
            run(["sleep", "0.05"])
        self.pid = int(self.pid_file.read_text())
        bridge = f"cb{nic.network.id[:11]}"
        side.ask(
            "ip",
            "link",
            "add",
            f"g{short}",
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "address",
            nic.mac,
            "netns",
            str(self.pid),
        )
        side.ask("ip", "link", "set", f"g{short}", "master", bridge, "up")
        self.ask("ip", "link", "set", "eth0", "up")
        self.ask("ip", "link", "set", "lo", "up")

    def ask(self, *command: str) -> str:
        return run(["nsenter", f"--net=/proc/{self.pid}/ns/net", "--", *command]).decode()

    def dhcp(self) -> str:
        script = self.folder / "lease"
        script.write_text(LEASE.replace("$answer", str(self.folder / "answer")))
        script.chmod(0o755)
        options = ["-O", "mtu", "-O", "staticroutes", "-O", "hostname"]
        self.ask("busybox", "udhcpc", "-q", "-n", "-t", "5", "-T", "1", "-i", "eth0", "-s", str(script), *options)
        return (self.folder / "answer").read_text().strip()

    def reaches(self, address: str) -> bool:
        try:
            self.ask("ping", "-c", "1", "-W", "2", address)
        except CommandFailed:
            return False
        return True

    def end(self) -> None:
        os.kill(self.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("cc-hosts-net")
    hosts.up(place, ["compute1", "compute2"])
    yield place
    hosts.down(place, purge=True)


@pytest.fixture
def sides(place: Path, tmp_path: Path) -> Iterator[tuple[Side, Side]]:
    """Both hosts with an empty data plane of their own."""
    one, two = (Side(host, tmp_path / host.name / "plumbing") for host in hosts.hosts(place))
    for side in (one, two):
        side.state.parent.mkdir()
    yield one, two
    for side in (one, two):
        for port in side.call("ports"):
            side.call("remove_port", port_id=port["port_id"])
        for network in side.call("networks"):
            side.call("remove_network", network_id=network["network_id"])
        assert not [
            line for line in side.ask("ip", "-br", "link").splitlines() if line.startswith(("cc", "cb", "cx", "cd"))
        ]
        assert " cc_" not in side.ask("nft", "list", "tables")


def network(segment: int = 1001, cidr: str = "10.9.0.0/24", dhcp: str | None = "10.9.0.2") -> NetworkSpec:
    return NetworkSpec(str(uuid4()), "n", segment, 1450, (cidr,), dhcp)


def nic(net: NetworkSpec, last: int, **words: Any) -> NicSpec:
    prefix = net.cidrs[0].rsplit(".", 1)[0]
    fixed = FixedIpSpec(
        f"{prefix}.{last}", net.cidrs[0], f"{prefix}.1", ("9.9.9.9",), (("192.168.7.0/24", f"{prefix}.9"),)
    )
    return NicSpec(str(uuid4()), f"fa:16:3e:00:00:{last:02x}", net, (fixed,), hostname=f"vm{last}", **words)


def test_guests_on_two_hosts_get_their_addresses_and_reach_each_other(sides: tuple[Side, Side]) -> None:
    one, two = sides
    net = network()
    a, b = nic(net, 11), nic(net, 12)
    tap = one.plug(a, [two.host.address])
    two.plug(b, [one.host.address])
    assert tap == f"cc{a.port_id[:11]}"
    assert f"{tap}:" in one.ask("ip", "-o", "link", "show", "master", f"cb{net.id[:11]}")

    first, second = one.guest(a), two.guest(b)
    answer = first.dhcp()
    assert answer.startswith("10.9.0.11/24 ")
    assert "router=10.9.0.1 " in answer
    assert "mtu=1450 " in answer
    assert "dns=9.9.9.9 " in answer
    assert "routes=192.168.7.0/24 10.9.0.9 0.0.0.0/0 10.9.0.1 " in answer
    assert "hostname=vm11 " in answer
    assert "server=10.9.0.2" in answer
    assert second.dhcp().startswith("10.9.0.12/24 ")
    assert first.reaches("10.9.0.12")
    assert second.reaches("10.9.0.11")
    first.ask("ping", "-c", "1", "-W", "2", "-M", "do", "-s", "1422", "10.9.0.12")  # a whole frame of the MTU
    first.end()
    second.end()


def test_each_host_answers_dhcp_itself_and_only_for_its_own_ports(sides: tuple[Side, Side]) -> None:
    one, two = sides
    net = network()
    a, b = nic(net, 11), nic(net, 12)
    one.plug(a, [two.host.address])
    two.plug(b, [one.host.address])
    stranger = one.guest(b)  # a port that is bound on the other host
    with pytest.raises(CommandFailed):
        stranger.dhcp()
    stranger.end()
    guest = one.guest(a)
    guest.dhcp()
    assert guest.reaches("10.9.0.2")  # the server of this host: the two do not see each other
    guest.end()


def test_two_networks_with_one_address_range_stay_apart(sides: tuple[Side, Side]) -> None:
    one, _two = sides
    red, blue = network(1001), network(1002)
    a, b = nic(red, 11), nic(blue, 12)
    one.plug(a, [])
    one.plug(b, [])
    first, second = one.guest(a), one.guest(b)
    assert first.dhcp().startswith("10.9.0.11/24")
    assert second.dhcp().startswith("10.9.0.12/24")
    assert not first.reaches("10.9.0.12")
    first.end()
    second.end()


def test_a_tenant_network_like_the_underlay_harms_no_host_and_guests_do_not_reach_it(sides: tuple[Side, Side]) -> None:
    one, two = sides
    cidr = one.host.gateway.rsplit(".", 1)[0] + ".0/24"
    net = network(cidr=cidr, dhcp=one.host.gateway)  # the worst choice: the machine's own address
    a = nic(net, 77)
    one.plug(a, [])
    guest = one.guest(a)
    guest.dhcp()
    one.ask("ping", "-c", "1", "-W", "2", one.host.gateway)
    one.ask("ping", "-c", "1", "-W", "2", two.host.address)
    assert not guest.reaches(one.host.address)
    bridge_mac = one.ask("cat", f"/sys/class/net/cb{net.id[:11]}/address").strip()
    guest.ask("ip", "neigh", "replace", one.host.address, "lladdr", bridge_mac, "dev", "eth0")
    assert not guest.reaches(one.host.address)  # even when it is sent straight to the bridge
    guest.end()


def test_ports_of_two_subnets_of_a_network_are_both_served(sides: tuple[Side, Side]) -> None:
    one, _two = sides
    net = network()
    a, b = nic(net, 11), nic(replace(net, cidrs=("10.44.0.0/16",)), 12)  # specs name the subnets of their guest only
    one.plug(a, [])
    one.plug(b, [])
    first, second = one.guest(a), one.guest(b)
    assert second.dhcp().startswith("10.44.0.12/16 ")
    assert first.dhcp().startswith("10.9.0.11/24 ")
    first.end()
    second.end()


def test_a_server_that_has_answered_serves_later_ports_too(sides: tuple[Side, Side]) -> None:
    """dnsmasq 2.90 dies when it reads its hosts again after an answer, silently: the later port got no address."""
    one, _two = sides
    net = network()
    guests = []
    for last in (11, 12, 13):
        port = nic(net, last)
        one.plug(port, [])
        guests.append(one.guest(port))
        assert guests[-1].dhcp().startswith(f"10.9.0.{last}/24 ")
    assert guests[0].dhcp().startswith("10.9.0.11/24 ")
    for guest in guests:
        guest.end()


def test_an_address_given_to_another_port_is_served_at_once(sides: tuple[Side, Side]) -> None:
    one, _two = sides
    net = network()
    stays, old = nic(net, 20), nic(net, 11)
    one.plug(stays, [])
    one.plug(old, [])
    guest = one.guest(old)
    assert guest.dhcp().startswith("10.9.0.11/24")
    guest.end()
    one.call("remove_port", port_id=old.port_id)
    new = NicSpec(str(uuid4()), "fa:16:3e:00:00:99", net, old.fixed_ips)
    one.plug(new, [])
    guest = one.guest(new)
    assert guest.dhcp().startswith("10.9.0.11/24")
    guest.end()


def test_everything_may_be_repeated_and_heals(sides: tuple[Side, Side]) -> None:
    one, two = sides
    net = network()
    a = nic(net, 11)
    one.plug(a, [two.host.address])
    folder = next((one.host.folder / "dhcp").glob(f"*/{net.id}"))
    pid = int((folder / "pid").read_text())
    before = one.ask("ip", "-br", "link")
    one.plug(a, [two.host.address])
    assert one.ask("ip", "-br", "link") == before
    assert int((folder / "pid").read_text()) == pid

    os.kill(pid, signal.SIGKILL)
    one.ask("ip", "link", "delete", f"cx{net.id[:11]}")
    one.ask("nft", "flush", "ruleset")
    one.plug(a, [two.host.address])
    assert int((folder / "pid").read_text()) != pid
    flood = one.ask("bridge", "fdb", "show", "dev", f"cx{net.id[:11]}")
    assert f"00:00:00:00:00:00 dst {two.host.address}" in flood
    guest = one.guest(a)
    assert guest.dhcp().startswith("10.9.0.11/24")
    guest.end()
    one.call("sync_peers", network_id=net.id, peers=[])
    assert two.host.address not in one.ask("bridge", "fdb", "show", "dev", f"cx{net.id[:11]}")


def test_what_is_there_can_be_listed_and_the_last_port_takes_its_network_along(sides: tuple[Side, Side]) -> None:
    one, _two = sides
    net = network()
    a, b = nic(net, 11), nic(net, 12)
    one.plug(a, [])
    one.plug(b, [])
    assert {port["port_id"] for port in one.call("ports")} == {a.port_id, b.port_id}
    assert [seen["network_id"] for seen in one.call("networks")] == [net.id]
    one.call("remove_port", port_id=a.port_id)
    one.call("remove_port", port_id=a.port_id)
    assert [port["port_id"] for port in one.call("ports")] == [b.port_id]
    one.call("remove_port", port_id=b.port_id)
    assert one.call("networks") == []
    assert not list((one.host.folder / "dhcp").glob(f"*/{net.id}"))


def test_a_segment_given_to_another_network_is_taken_from_one_without_ports(sides: tuple[Side, Side]) -> None:
    one, _two = sides
    gone, new = network(1001), network(1001)
    one.call("ensure_network", network=gone)
    one.plug(nic(new, 11), [])
    assert [seen["network_id"] for seen in one.call("networks")] == [new.id]
