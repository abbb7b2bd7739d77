"""Security groups and their rules."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.test_network_networks import V2, make_network, refused
from tests.support.client import Cloud

GROUPS, RULES = f"{V2}/security-groups", f"{V2}/security-group-rules"


def make_group(person: Any, name: str = "web") -> dict[str, Any]:
    answer = person.post(GROUPS, {"security_group": {"name": name}})
    assert answer.status_code == 201, answer.content
    return answer.json()["security_group"]


def ask_rule(person: Any, group_id: str, **attributes: Any) -> Any:
    wanted = {"security_group_id": group_id, "direction": "ingress", **attributes}
    return person.post(RULES, {"security_group_rule": wanted})


def make_rule(person: Any, group_id: str, **attributes: Any) -> dict[str, Any]:
    answer = ask_rule(person, group_id, **attributes)
    assert answer.status_code == 201, answer.content
    return answer.json()["security_group_rule"]


def default_group(person: Any) -> dict[str, Any]:
    return person.get(f"{GROUPS}?name=default").json()["security_groups"][0]


def test_every_project_has_a_default_group_with_four_rules(cloud: Cloud) -> None:
    group = default_group(cloud.as_reader)
    assert group["project_id"] == "a" * 32
    rules = sorted(
        (rule["direction"], rule["ethertype"], rule["remote_group_id"]) for rule in group["security_group_rules"]
    )
    assert rules == [
        ("egress", "IPv4", None), ("egress", "IPv6", None),
        ("ingress", "IPv4", group["id"]), ("ingress", "IPv6", group["id"]),
    ]  # fmt: skip
    assert default_group(cloud.as_member)["id"] == group["id"]
    assert default_group(cloud.as_other)["id"] != group["id"]


def test_a_network_brings_the_default_group(cloud: Cloud) -> None:
    make_network(cloud.as_member)
    found = cloud.as_admin.get(f"{GROUPS}?project_id={'a' * 32}&name=default").json()["security_groups"]
    assert len(found) == 1


def test_the_default_group_is_kept_from_members(cloud: Cloud) -> None:
    group = default_group(cloud.as_member)
    path = f"{GROUPS}/{group['id']}"
    refused(cloud.as_member.delete(path), 409, "SecurityGroupCannotRemoveDefault")
    refused(cloud.as_member.put(path, {"security_group": {"name": "mine"}}), 409, "SecurityGroupCannotUpdateDefault")
    refused(
        cloud.as_member.post(GROUPS, {"security_group": {"name": "default"}}), 409, "SecurityGroupDefaultAlreadyExists"
    )
    other = make_group(cloud.as_member)
    answer = cloud.as_member.put(f"{GROUPS}/{other['id']}", {"security_group": {"name": "default"}})
    refused(answer, 409, "SecurityGroupDefaultAlreadyExists")
    assert cloud.as_admin.delete(path).status_code == 204


def test_a_new_group_lets_everything_out(cloud: Cloud) -> None:
    group = make_group(cloud.as_member)
    assert sorted((one["direction"], one["ethertype"]) for one in group["security_group_rules"]) == [
        ("egress", "IPv4"),
        ("egress", "IPv6"),
    ]
    changes = {"security_group": {"name": "db", "description": "ours"}}
    changed = cloud.as_member.put(f"{GROUPS}/{group['id']}", changes).json()["security_group"]
    assert (changed["name"], changed["description"]) == ("db", "ours")


def test_a_group_takes_its_rules_and_those_that_trust_it_along(cloud: Cloud) -> None:
    one, two = make_group(cloud.as_member, "one"), make_group(cloud.as_member, "two")
    own = make_rule(cloud.as_member, one["id"], protocol="tcp")
    trusting = make_rule(cloud.as_member, two["id"], protocol="udp", remote_group_id=one["id"])
    assert cloud.as_member.delete(f"{GROUPS}/{one['id']}").status_code == 204
    for rule in (own, trusting):
        refused(cloud.as_member.get(f"{RULES}/{rule['id']}"), 404, "SecurityGroupRuleNotFound")
    used = cloud.as_member.get(f"{V2}/quotas/{'a' * 32}/details").json()["quota"]
    assert (used["security_group"]["used"], used["security_group_rule"]["used"]) == (2, 6)


def test_foreign_groups_and_rules_do_not_exist(cloud: Cloud) -> None:
    group = make_group(cloud.as_member)
    rule = make_rule(cloud.as_member, group["id"], protocol="tcp")
    mine = make_group(cloud.as_other)
    path = f"{GROUPS}/{group['id']}"
    for answer in (
        cloud.as_other.get(path), cloud.as_other.delete(path), cloud.as_other.put(path, {"security_group": {}}),
        ask_rule(cloud.as_other, group["id"]), ask_rule(cloud.as_other, mine["id"], remote_group_id=group["id"]),
    ):  # fmt: skip
        refused(answer, 404, "SecurityGroupNotFound")
    refused(cloud.as_other.delete(f"{RULES}/{rule['id']}"), 404, "SecurityGroupRuleNotFound")
    assert cloud.as_other.get(f"{RULES}?security_group_id={group['id']}").json() == {"security_group_rules": []}
    for body in ({"name": "x", "project_id": "b" * 32}, {"name": "x", "tenant_id": "b" * 32}):
        refused(cloud.as_member.post(GROUPS, {"security_group": body}), 400, "HTTPBadRequest")


def test_rules_come_back_as_they_were_asked(cloud: Cloud) -> None:
    group = make_group(cloud.as_member)
    for wanted in (
        {"protocol": "tcp", "port_range_min": 77, "port_range_max": 77, "ethertype": "IPv4"},
        {"protocol": "tcp", "port_range_min": 76, "port_range_max": 77, "remote_ip_prefix": "10.100.0.0/16"},
        {"protocol": "icmp", "port_range_min": 3, "port_range_max": 0},
        {"protocol": "icmp", "port_range_min": 11, "port_range_max": None},
        {"protocol": "ipv6-icmp", "port_range_min": 3, "port_range_max": 2, "ethertype": "IPv6"},
        {"protocol": "udp", "remote_group_id": group["id"], "port_range_min": 50, "port_range_max": 55},
        {"protocol": "17", "direction": "egress"},
        {"protocol": "vrrp"},
        {"protocol": None, "remote_ip_prefix": "192.0.2.7/32", "description": "one host"},
    ):
        rule = make_rule(cloud.as_member, group["id"], **wanted)
        assert {name: rule[name] for name in wanted} == wanted
        assert cloud.as_reader.get(f"{RULES}/{rule['id']}").json()["security_group_rule"] == rule
    assert make_rule(cloud.as_member, group["id"], protocol=6)["protocol"] == "6"
    assert make_rule(cloud.as_member, group["id"], remote_ip_prefix="10.0.0.5")["remote_ip_prefix"] == "10.0.0.5/32"


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"protocol": "bad_protocol_name"}, "not supported"),
        ({"protocol": 256}, "not supported"),
        ({"protocol": "-1"}, "not supported"),
        ({"protocol": "tcp", "port_range_min": -16, "port_range_max": 80}, "Invalid value for port -16"),
        ({"protocol": "tcp", "port_range_min": 80, "port_range_max": 79}, "port_range_min must be <= port_range_max"),
        ({"protocol": "tcp", "port_range_min": 80, "port_range_max": 65536}, "Invalid value for port 65536"),
        ({"protocol": "tcp", "port_range_min": None, "port_range_max": 6}, "port_range_min must be <= port_range_max"),
        ({"protocol": "tcp", "port_range_min": 0, "port_range_max": 6}, "Invalid value for port 0"),
        ({"protocol": "tcp", "port_range_min": "x", "port_range_max": 6}, "Invalid value for port x"),
        ({"protocol": "icmp", "port_range_min": 1, "port_range_max": 256}, "Invalid value for ICMP code"),
        ({"protocol": "icmp", "port_range_min": None, "port_range_max": 6}, "ICMP type (port-range-min) is missing"),
        ({"protocol": "icmp", "port_range_min": 300, "port_range_max": 1}, "Invalid value for ICMP type"),
        ({"protocol": "esp", "port_range_min": 1, "port_range_max": 1}, "Invalid protocol esp for port range"),
        ({"port_range_min": 1, "port_range_max": 1}, "Must also specify protocol"),
        ({"protocol": "ipv6-icmp", "ethertype": "IPv4"}, "Invalid ethertype IPv4 for protocol ipv6-icmp"),
        ({"ethertype": "bad_ethertype"}, "not supported"),
        ({"remote_ip_prefix": "192.168.1./24"}, "Invalid CIDR"),
        ({"remote_ip_prefix": "192.168.1.1/33"}, "Invalid CIDR"),
        ({"remote_ip_prefix": "bad_prefix"}, "Invalid CIDR"),
        ({"remote_ip_prefix": "256"}, "Invalid CIDR"),
        ({"remote_ip_prefix": "10.0.0.0/255.0.0.0"}, "Invalid CIDR"),
        ({"remote_ip_prefix": "fe80::1%eth0/64", "ethertype": "IPv6"}, "Invalid CIDR"),
        ({"remote_ip_prefix": "fd00::/8"}, "Conflicting value ethertype IPv4"),
        ({"remote_ip_prefix": "10.0.0.0/8", "ethertype": "IPv6"}, "Conflicting value ethertype IPv6"),
        ({"direction": "sideways"}, "direction"),
        ({"colour": "red"}, "Unrecognized attribute(s) 'colour'"),
    ],
)
def test_wrong_rules(cloud: Cloud, wanted: dict[str, Any], words: str) -> None:
    group = make_group(cloud.as_member)
    answer = ask_rule(cloud.as_member, group["id"], **wanted)
    assert answer.status_code == 400, answer.content
    assert words in answer.json()["NeutronError"]["message"]


def test_a_rule_names_a_prefix_or_a_group_not_both(cloud: Cloud) -> None:
    group = make_group(cloud.as_member)
    answer = ask_rule(cloud.as_member, group["id"], remote_ip_prefix="10.0.0.0/8", remote_group_id=group["id"])
    refused(answer, 400, "SecurityGroupRemoteGroupAndRemoteIpPrefix")
    refused(ask_rule(cloud.as_member, group["id"], remote_group_id="bad_group_id"), 404, "SecurityGroupNotFound")
    refused(ask_rule(cloud.as_member, "no-such-group"), 404, "SecurityGroupNotFound")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"protocol": "tcp"}, {"protocol": "6"}),
        ({"protocol": "icmp", "ethertype": "IPv6"}, {"protocol": "icmpv6", "ethertype": "ipv6"}),
        ({"remote_ip_prefix": "0.0.0.0/0"}, {}),
        ({"remote_ip_prefix": "10.0.0.0/8"}, {"remote_ip_prefix": "10.1.2.3/8", "description": "same"}),
    ],
)
def test_the_same_rule_in_other_words_is_a_duplicate(cloud: Cloud, one: dict[str, Any], other: dict[str, Any]) -> None:
    group = make_group(cloud.as_member)
    rule = make_rule(cloud.as_member, group["id"], **one)
    refused(ask_rule(cloud.as_member, group["id"], **other), 409, "SecurityGroupRuleExists", rule["id"])
    used = cloud.as_member.get(f"{V2}/quotas/{'a' * 32}/details").json()["quota"]["security_group_rule"]["used"]
    assert used == 4 + 2 + 1
    assert cloud.as_member.delete(f"{RULES}/{rule['id']}").status_code == 204
    make_rule(cloud.as_member, group["id"], **other)


def test_groups_and_rules_have_quotas(cloud: Cloud) -> None:
    limits = {"security_group": 2, "security_group_rule": 7}
    cloud.as_admin.put(f"{V2}/quotas/{'a' * 32}", {"quota": limits})
    group = make_group(cloud.as_member)
    refused(cloud.as_member.post(GROUPS, {"security_group": {"name": "more"}}), 409, "OverQuota")
    make_rule(cloud.as_member, group["id"], protocol="tcp")
    refused(ask_rule(cloud.as_member, group["id"], protocol="udp"), 409, "OverQuota")


def test_rules_cannot_be_changed(cloud: Cloud) -> None:
    rule = make_rule(cloud.as_member, make_group(cloud.as_member)["id"], protocol="tcp")
    answer = cloud.as_member.put(f"{RULES}/{rule['id']}", {"security_group_rule": {"description": "x"}})
    assert answer.status_code == 405
