"""Subnet pools and the subnets cut from them."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from integrations.networks.subnet_pools import first_free_block
from tests.api.test_network_networks import V2, make_network, refused
from tests.support.client import Cloud

POOLS = f"{V2}/subnetpools"


def ask_pool(person: Any, **attributes: Any) -> Any:
    wanted = {"name": "pool", "prefixes": ["10.0.0.0/24"], "default_prefixlen": 26, **attributes}
    return person.post(POOLS, {"subnetpool": wanted})


def make_pool(person: Any, **attributes: Any) -> dict[str, Any]:
    answer = ask_pool(person, **attributes)
    assert answer.status_code == 201, answer.content
    return answer.json()["subnetpool"]


def ask_subnet(person: Any, **attributes: Any) -> Any:
    network_id = make_network(person)["id"]
    return person.post(f"{V2}/subnets", {"subnet": {"network_id": network_id, "ip_version": 4, **attributes}})


@pytest.mark.parametrize(
    ("block", "used", "length", "expected"),
    [
        ("10.0.0.0/24", [], 26, "10.0.0.0/26"),
        ("10.0.0.0/24", ["10.0.0.0/26"], 26, "10.0.0.64/26"),
        ("10.0.0.0/24", ["10.0.0.0/28"], 26, "10.0.0.64/26"),
        ("10.0.0.0/24", ["10.0.0.64/26"], 25, "10.0.0.128/25"),
        ("10.0.0.0/24", ["10.0.0.128/25", "10.0.0.0/25"], 26, None),
        ("10.0.0.0/24", [], 23, None),
        ("10.0.0.0/24", ["10.0.0.64/26"], 26, "10.0.0.0/26"),
        ("fd00::/48", ["fd00::/64"], 64, "fd00:0:0:1::/64"),
    ],
)
def test_first_free_block(block: str, used: list[str], length: int, expected: str | None) -> None:
    found = first_free_block(ip_network(block), [ip_network(one) for one in used], length)
    assert found == (ip_network(expected) if expected else None)


def test_a_pool_is_made_shown_changed_and_deleted(cloud: Cloud) -> None:
    pool = make_pool(cloud.as_member, prefixes=["10.0.1.0/24", "10.0.0.0/24"], default_prefixlen="26")
    assert pool["prefixes"] == ["10.0.0.0/23"]
    assert (pool["min_prefixlen"], pool["default_prefixlen"], pool["max_prefixlen"]) == (8, 26, 32)
    path = f"{POOLS}/{pool['id']}"
    assert cloud.as_reader.get(path).json()["subnetpool"] == pool
    changed = cloud.as_member.put(path, {"subnetpool": {"name": "lake", "prefixes": ["10.0.0.0/22"]}})
    assert changed.json()["subnetpool"]["prefixes"] == ["10.0.0.0/22"]
    smaller = {"subnetpool": {"prefixes": ["10.0.0.0/24"]}}
    refused(cloud.as_member.put(path, smaller), 400, "IllegalSubnetPoolPrefixUpdate")
    refused(cloud.as_other.get(path), 404, "SubnetPoolNotFound")
    assert cloud.as_member.delete(path).status_code == 204
    refused(cloud.as_member.get(path), 404, "SubnetPoolNotFound")


@pytest.mark.parametrize(
    ("wanted", "kind"),
    [
        ({"prefixes": []}, "HTTPBadRequest"),
        ({"prefixes": ["10.0.0.0/33"]}, "InvalidInput"),
        ({"prefixes": ["10.0.0.0/24", "fd00::/48"]}, "PrefixVersionMismatch"),
        ({"min_prefixlen": 27}, "IllegalSubnetPoolPrefixBounds"),
        ({"max_prefixlen": 40}, "IllegalSubnetPoolPrefixBounds"),
        ({"default_quota": 5}, "HTTPBadRequest"),
    ],
)
def test_wrong_pools(cloud: Cloud, wanted: dict[str, Any], kind: str) -> None:
    refused(ask_pool(cloud.as_member, **wanted), 400, kind)


def test_subnets_are_cut_one_after_another_until_none_is_left(cloud: Cloud) -> None:
    pool = make_pool(cloud.as_member)
    cut = [ask_subnet(cloud.as_member, subnetpool_id=pool["id"]).json()["subnet"] for _ in range(3)]
    assert [one["cidr"] for one in cut] == ["10.0.0.0/26", "10.0.0.64/26", "10.0.0.128/26"]
    assert {one["subnetpool_id"] for one in cut} == {pool["id"]}
    longer = ask_subnet(cloud.as_member, subnetpool_id=pool["id"], prefixlen="27").json()["subnet"]
    assert longer["cidr"] == "10.0.0.192/27"
    refused(ask_subnet(cloud.as_member, subnetpool_id=pool["id"]), 409, "SubnetAllocationError", "Insufficient")
    refused(cloud.as_member.delete(f"{POOLS}/{pool['id']}"), 409, "SubnetPoolDeleteError")
    listed = cloud.as_member.get(f"{V2}/subnets?subnetpool_id={pool['id']}").json()["subnets"]
    assert len(listed) == 4
    cloud.as_member.delete(f"{V2}/subnets/{cut[1]['id']}")
    assert ask_subnet(cloud.as_member, subnetpool_id=pool["id"]).json()["subnet"]["cidr"] == "10.0.0.64/26"


def test_a_certain_block_of_a_pool(cloud: Cloud) -> None:
    pool = make_pool(cloud.as_member)
    assert ask_subnet(cloud.as_member, subnetpool_id=pool["id"], cidr="10.0.0.64/26").status_code == 201
    for cidr in ("10.0.0.64/27", "10.1.0.0/26"):
        answer = ask_subnet(cloud.as_member, subnetpool_id=pool["id"], cidr=cidr)
        refused(answer, 409, "SubnetAllocationError", "Cannot allocate requested subnet")
    refused(ask_subnet(cloud.as_member), 400, "HTTPBadRequest", "a subnetpool must be specified")
    refused(ask_subnet(cloud.as_member, subnetpool_id=pool["id"], ip_version=6), 400, "HTTPBadRequest")


def test_shared_and_default_pools_are_the_administrators(cloud: Cloud) -> None:
    for attributes in ({"shared": True}, {"is_default": True}):
        refused(ask_pool(cloud.as_member, **attributes), 403, "PolicyNotAuthorized")
    private = make_pool(cloud.as_member)
    refused(ask_subnet(cloud.as_other, subnetpool_id=private["id"]), 404, "SubnetPoolNotFound")
    pool = make_pool(cloud.as_admin, shared=True, is_default=True)
    assert ask_subnet(cloud.as_other, use_default_subnetpool=True).json()["subnet"]["subnetpool_id"] == pool["id"]
    refused(ask_pool(cloud.as_admin, is_default=True), 400, "DefaultSubnetPoolExists")
    refused(cloud.as_member.put(f"{POOLS}/{pool['id']}", {"subnetpool": {"name": "x"}}), 403, "PolicyNotAuthorized")


def test_pools_have_a_quota(cloud: Cloud) -> None:
    cloud.as_admin.put(f"{V2}/quotas/{'a' * 32}", {"quota": {"subnetpool": 1}})
    pool = make_pool(cloud.as_member)
    refused(ask_pool(cloud.as_member), 409, "OverQuota", "['subnetpool']")
    cloud.as_member.delete(f"{POOLS}/{pool['id']}")
    make_pool(cloud.as_member)
