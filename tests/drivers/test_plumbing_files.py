"""What the plumbing writes for dnsmasq and nft: every value is checked by type, nothing can add a line (S25)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hosts.drivers.errors import Fatal
from hosts.drivers.specs import FixedIpSpec, NetworkSpec, NicSpec
from hosts.plumbing import dhcp_files, edge, names

NETWORK = NetworkSpec("0b1c2d3e-0000-4000-8000-000000000001", "n", 77, 1450, ("10.0.0.0/24", "fd00::/64"), "10.0.0.2")
FIXED = FixedIpSpec("10.0.0.5", "10.0.0.0/24", "10.0.0.1", ("9.9.9.9", "8.8.8.8"))
PORT = NicSpec("aaaabbbb-cccc-4000-8000-000000000002", "FA:16:3e:00:00:05", NETWORK, (FIXED,), hostname="Web.example")
EVIL = "1.1.1.1\ndhcp-script=/tmp/x"


def test_a_port_is_one_line_with_its_address_and_its_options() -> None:
    tag = dhcp_files.tag(NETWORK, FIXED)
    assert dhcp_files.hosts([PORT]) == f"fa:16:3e:00:00:05,set:{tag},10.0.0.5,web,86400s\n"
    assert dhcp_files.options([PORT]).splitlines() == [
        f"tag:{tag},option:router,10.0.0.1",
        f"tag:{tag},option:dns-server,9.9.9.9,8.8.8.8",
        f"tag:{tag},option:mtu,1450",
    ]


def test_no_gateway_and_no_name_server_are_said_so() -> None:
    bare = replace(PORT, fixed_ips=(FixedIpSpec("10.0.0.5", "10.0.0.0/24"),))
    assert ",option:router\n" in dhcp_files.options([bare])
    assert ",option:dns-server\n" in dhcp_files.options([bare])


def test_routes_carry_the_default_route_too() -> None:
    routed = replace(PORT, fixed_ips=(replace(FIXED, routes=(("192.168.0.0/16", "10.0.0.9"),)),))
    said = dhcp_files.options([routed])
    assert ",option:classless-static-route,192.168.0.0/16,10.0.0.9,0.0.0.0/0,10.0.0.1\n" in said
    assert ",249,192.168.0.0/16,10.0.0.9,0.0.0.0/0,10.0.0.1\n" in said


def test_ports_without_dhcp_or_ipv4_are_left_out() -> None:
    assert dhcp_files.hosts([replace(PORT, dhcp=False)]) == ""
    assert dhcp_files.hosts([replace(PORT, fixed_ips=(FixedIpSpec("fd00::5", "fd00::/64"),))]) == ""
    assert dhcp_files.hosts([replace(PORT, fixed_ips=())]) == ""


@pytest.mark.parametrize("hostname", ["a b", "x\ny", "-x", "a,set:b", "ü", "", "a" * 80])
def test_a_name_that_is_no_host_name_is_left_out(hostname: str) -> None:
    assert dhcp_files.hosts([replace(PORT, hostname=hostname)]).count(",") == 3


@pytest.mark.parametrize(
    "port",
    [
        replace(PORT, mac=f"fa:16:3e:00:00:05\n{EVIL}"),
        replace(PORT, mac="fa:16:3e:00:00"),
        replace(PORT, fixed_ips=(replace(FIXED, address=EVIL),)),
        replace(PORT, fixed_ips=(replace(FIXED, gateway=EVIL),)),
        replace(PORT, fixed_ips=(replace(FIXED, dns=(EVIL,)),)),
        replace(PORT, fixed_ips=(replace(FIXED, routes=((EVIL, "10.0.0.1"),)),)),
        replace(PORT, fixed_ips=(replace(FIXED, routes=(("10.0.0.0/8", EVIL),)),)),
        replace(PORT, network=replace(NETWORK, mtu=60)),
    ],
)
def test_bad_values_are_refused(port: NicSpec) -> None:
    with pytest.raises(Fatal):
        dhcp_files.hosts([port])
        dhcp_files.options([port])


@pytest.mark.parametrize(
    "network",
    [
        replace(NETWORK, cidrs=(f"10.0.0.0/24\n{EVIL}",)),
        replace(NETWORK, dhcp_address=EVIL),
        replace(NETWORK, id="../../etc/passwd"),
        replace(NETWORK, id="x" * 200),
    ],
)
def test_bad_networks_are_refused(network: NetworkSpec) -> None:
    with pytest.raises(Fatal):
        dhcp_files.configuration(network, Path("/run/x"), "nobody")
        dhcp_files.own_cidr(network)
        edge.rules(network)


def test_each_subnet_has_a_range_and_other_subnets_share_the_device() -> None:
    text = dhcp_files.configuration(replace(NETWORK, cidrs=("10.0.0.0/24", "10.1.0.0/16")), Path("/run/x"), "nobody")
    assert "dhcp-range=10.0.0.0,static,255.255.255.0,86400s\n" in text
    assert "dhcp-range=10.1.0.0,static,255.255.0.0,86400s\n" in text
    assert "shared-network=10.0.0.2,10.1.0.0\n" in text
    assert "shared-network=10.0.0.2,10.0.0.0\n" not in text


def test_device_names_are_short_and_told_apart() -> None:
    made = {names.tap(PORT.port_id), names.bridge(NETWORK.id), names.vxlan(NETWORK.id), names.dhcp_leg(NETWORK.id)}
    assert len(made) == 4
    assert all(len(name) <= 15 for name in made)
    assert names.tap(PORT.port_id) == "ccaaaabbbb-cc"


def test_nothing_of_the_dhcp_server_crosses_the_edge_of_a_host() -> None:
    text = edge.rules(NETWORK)
    assert "arp daddr ip 10.0.0.2 drop" in text
    assert "udp dport { 67, 68 } drop" in text
    assert "udp dport" not in edge.rules(replace(NETWORK, dhcp_address=None))  # a tenant may run a server of his own
