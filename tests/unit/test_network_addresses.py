"""Arithmetic of the Network service: addresses, pools, rules, DHCP options. No database."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from hosts.plumbing import names
from integrations.networks import addresses, dhcp_options, rules
from integrations.networks.errors import InvalidInput


@pytest.mark.parametrize("text", ["0.0.0.0", "10.0.0.3", "255.255.255.255", "::", "fd00::1", "ffff::ffff"])
def test_order_keys_are_reversible(text: str) -> None:
    address = ip_address(text)
    assert addresses.from_order_key(addresses.order_key(address)) == address


def test_order_keys_sort_as_numbers_do() -> None:
    numbers = [ip_address(text) for text in ("9.255.0.1", "10.0.0.9", "10.0.0.10", "100.0.0.1")]
    assert sorted(map(addresses.order_key, numbers)) == [addresses.order_key(one) for one in numbers]


@pytest.mark.parametrize(
    ("taken", "expected"),
    [((), "0a000002"), (("0a000002",), "0a000003"), (("0a000003",), "0a000002"), (("0a000002", "0a000003"), None)],
)
def test_first_free(taken: tuple[str, ...], expected: str | None) -> None:
    assert addresses.first_free("0a000002", "0a000003", taken) == expected


def test_slaac_flips_the_universal_bit() -> None:
    assert addresses.slaac(ip_network("2001:db8::/64"), "00:00:00:00:00:01") == "2001:db8::200:ff:fe00:1"


@pytest.mark.parametrize(
    ("cidr", "gateway", "expected"),
    [
        ("10.0.0.0/30", "10.0.0.1", [("10.0.0.2", "10.0.0.2")]),
        ("10.0.0.0/30", "10.0.0.2", [("10.0.0.1", "10.0.0.1")]),
        ("10.0.0.0/32", None, [("10.0.0.0", "10.0.0.0")]),
        ("10.0.0.0/29", "192.0.2.1", [("10.0.0.1", "10.0.0.6")]),
        ("fd00::/126", "fd00::1", [("fd00::2", "fd00::3")]),
    ],
)
def test_default_pools(cidr: str, gateway: str | None, expected: list[tuple[str, str]]) -> None:
    pools = addresses.default_pools(ip_network(cidr), gateway)
    assert [(pool["start"], pool["end"]) for pool in pools] == expected


def test_macs_are_ours_and_not_group_addresses() -> None:
    for _ in range(20):
        mac = addresses.new_mac()
        assert mac.startswith("fa:16:3e:")
        assert len(mac) == 17


@pytest.mark.parametrize("text", ["fe80::1%eth0", "10.0.0", "", "1" * 70, "10.0.0.1/32", " 10.0.0.1"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(InvalidInput):
        addresses.parse_address(text)


def rule(**facts: object) -> rules.RuleText:
    return rules.parse({"direction": "ingress", **facts})


def test_icmp_of_an_ipv6_rule_is_icmpv6() -> None:
    assert rules.protocol_number("icmp", "IPv6") == rules.protocol_number("ipv6-icmp", "IPv6") == 58
    assert rules.protocol_number("icmp", "IPv4") == 1


def test_fingerprints_tell_rules_apart() -> None:
    texts = [
        rule(), rule(ethertype="IPv6"), rule(protocol="tcp"), rule(protocol="tcp", port_range_min=1, port_range_max=2),
        rule(remote_ip_prefix="10.0.0.0/8"), rule(remote_group_id="g"), rules.parse({"direction": "egress"}),
    ]  # fmt: skip
    assert len({rules.fingerprint(one) for one in texts}) == len(texts)


def test_no_control_byte_passes_as_a_dhcp_value() -> None:
    for code in [*range(32), 127, 128, 133, 160, 0x2028]:
        for name in dhcp_options.ALLOWED:
            with pytest.raises(InvalidInput):
                dhcp_options.merge([], [{"opt_name": name, "opt_value": f"1.1.1.1{chr(code)}"}])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("router", "10.0.0.1"), ("dns-server", "10.0.0.1,10.0.0.2"), ("mtu", "1400"), ("domain-name", "example.org"),
        ("classless-static-route", "10.0.0.0/8,10.1.0.1"), ("150", "10.0.0.1"), ("tftp-server", "boot.example.org"),
    ],
)  # fmt: skip
def test_ordinary_dhcp_options_pass(name: str, value: str) -> None:
    assert dhcp_options.merge([], [{"opt_name": name, "opt_value": value}]) == [
        {"opt_name": name, "opt_value": value, "ip_version": 4}
    ]


def test_hosts_and_rows_agree_on_the_dhcp_mac() -> None:
    network_id = "0c6b3f5e-8f9e-4a55-9d4b-1f0d5a1c7a11"
    assert addresses.dhcp_mac(network_id) == names.dhcp_mac(network_id)
