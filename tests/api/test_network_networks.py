"""Networks and subnets, told as conversations."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.client import Cloud

V2 = "/network/v2.0"


def make_network(person: Any, **attributes: Any) -> dict[str, Any]:
    answer = person.post(f"{V2}/networks", {"network": {"name": "blue", **attributes}})
    assert answer.status_code == 201, answer.content
    return answer.json()["network"]


def make_subnet(person: Any, network_id: str, cidr: str = "10.1.0.0/28", **attributes: Any) -> dict[str, Any]:
    wanted = {"network_id": network_id, "cidr": cidr, "ip_version": 6 if ":" in cidr else 4, **attributes}
    answer = person.post(f"{V2}/subnets", {"subnet": wanted})
    assert answer.status_code == 201, answer.content
    return answer.json()["subnet"]


def refused(answer: Any, status: int, kind: str, words: str = "") -> None:
    assert answer.status_code == status, answer.content
    error = answer.json()["NeutronError"]
    assert error["type"] == kind
    assert words in error["message"]
    assert error["detail"] == ""


def test_version_documents_need_no_token(cloud: Cloud) -> None:
    versions = cloud.anonymous.get("/network/").json()["versions"]
    assert [one["id"] for one in versions] == ["v2.0"]
    resources = cloud.anonymous.get("/network/v2.0/").json()["resources"]
    assert {"network", "subnet", "port"} <= {one["name"] for one in resources}


def test_a_token_is_needed(cloud: Cloud) -> None:
    assert cloud.anonymous.get(f"{V2}/networks").status_code == 401
    assert cloud.with_bad_token.get(f"{V2}/networks").status_code == 401


def test_a_member_makes_shows_changes_and_deletes_a_network(cloud: Cloud) -> None:
    network = make_network(cloud.as_member, description="ours")
    assert network["status"] == "ACTIVE"
    assert network["tenant_id"] == network["project_id"] == "a" * 32
    assert network["mtu"] == 1450
    assert "provider:segmentation_id" not in network

    path = f"{V2}/networks/{network['id']}"
    assert cloud.as_reader.get(path).json()["network"] == network
    changed = cloud.as_member.put(path, {"network": {"name": "green"}}).json()["network"]
    assert changed["name"] == "green"
    assert changed["revision_number"] == network["revision_number"] + 1

    assert cloud.as_member.delete(path).status_code == 204
    refused(cloud.as_member.get(path), 404, "NetworkNotFound", "could not be found")


def test_an_administrator_sees_distinct_segments_from_1000_up(cloud: Cloud) -> None:
    ids = [make_network(cloud.as_member)["id"] for _ in range(3)]
    segments = [cloud.as_admin.get(f"{V2}/networks/{one}").json()["network"]["provider:segmentation_id"] for one in ids]
    assert segments == sorted(set(segments))
    assert min(segments) >= 1000


def test_a_segment_is_not_handed_out_again(cloud: Cloud) -> None:
    first = make_network(cloud.as_admin)
    cloud.as_admin.delete(f"{V2}/networks/{first['id']}")
    second = make_network(cloud.as_admin)
    assert second["provider:segmentation_id"] > first["provider:segmentation_id"]


def test_an_administrator_may_choose_a_free_segment(cloud: Cloud) -> None:
    wanted = {"provider:network_type": "vxlan", "provider:segmentation_id": 1001}
    assert make_network(cloud.as_admin, **wanted)["provider:segmentation_id"] == 1001
    refused(cloud.as_admin.post(f"{V2}/networks", {"network": wanted}), 409, "TunnelIdInUse")
    later = [make_network(cloud.as_admin)["provider:segmentation_id"] for _ in range(3)]
    assert 1001 not in later


def test_readers_change_nothing(cloud: Cloud) -> None:
    network = make_network(cloud.as_member)
    assert cloud.as_reader.post(f"{V2}/networks", {"network": {}}).status_code == 403
    assert cloud.as_reader.put(f"{V2}/networks/{network['id']}", {"network": {"name": "x"}}).status_code == 403
    assert cloud.as_reader.delete(f"{V2}/networks/{network['id']}").status_code == 403


@pytest.mark.parametrize(
    "attributes",
    [{"shared": True}, {"router:external": True}, {"provider:segmentation_id": 5}, {"provider:network_type": "vxlan"}],
)
def test_what_only_administrators_may_say(cloud: Cloud, attributes: dict[str, Any]) -> None:
    refused(cloud.as_member.post(f"{V2}/networks", {"network": attributes}), 403, "PolicyNotAuthorized")


def test_members_cannot_name_another_project(cloud: Cloud) -> None:
    for name in ("project_id", "tenant_id"):
        answer = cloud.as_member.post(f"{V2}/networks", {"network": {name: "b" * 32}})
        refused(answer, 400, "HTTPBadRequest", "requires admin privileges")
    assert make_network(cloud.as_admin, project_id="b" * 32)["project_id"] == "b" * 32


def test_other_projects_see_nothing_of_a_private_network(cloud: Cloud) -> None:
    network = make_network(cloud.as_member)
    make_subnet(cloud.as_member, network["id"])
    path = f"{V2}/networks/{network['id']}"
    assert cloud.as_other.get(f"{V2}/networks").json() == {"networks": []}
    assert cloud.as_other.get(f"{V2}/networks?project_id={'a' * 32}").json() == {"networks": []}
    assert cloud.as_other.get(f"{V2}/subnets?tenant_id={'a' * 32}").json() == {"subnets": []}
    for answer in (
        cloud.as_other.get(path),
        cloud.as_other.put(path, {"network": {"name": "mine"}}),
        cloud.as_other.delete(path),
    ):
        refused(answer, 404, "NetworkNotFound")
    body = {"subnet": {"network_id": network["id"], "cidr": "10.9.0.0/24", "ip_version": 4}}
    refused(cloud.as_other.post(f"{V2}/subnets", body), 404, "NetworkNotFound")


def test_a_shared_network_is_seen_but_not_changed(cloud: Cloud) -> None:
    network = make_network(cloud.as_admin, shared=True)
    make_subnet(cloud.as_admin, network["id"])
    path = f"{V2}/networks/{network['id']}"
    assert cloud.as_member.get(path).json()["network"]["shared"] is True
    assert len(cloud.as_member.get(f"{V2}/subnets").json()["subnets"]) == 1
    refused(cloud.as_member.put(path, {"network": {"name": "mine"}}), 403, "PolicyNotAuthorized")
    refused(cloud.as_member.delete(path), 403, "PolicyNotAuthorized")
    body = {"subnet": {"network_id": network["id"], "cidr": "10.9.0.0/24", "ip_version": 4}}
    refused(cloud.as_member.post(f"{V2}/subnets", body), 403, "PolicyNotAuthorized")


def test_an_external_network_is_seen_but_takes_no_ports_of_members(cloud: Cloud) -> None:
    network = make_network(cloud.as_admin, **{"router:external": True})
    listed = cloud.as_member.get(f"{V2}/networks?router:external=True").json()["networks"]
    assert [one["id"] for one in listed] == [network["id"]]
    answer = cloud.as_member.post(f"{V2}/ports", {"port": {"network_id": network["id"]}})
    refused(answer, 404, "NetworkNotFound")


def test_many_networks_in_one_request_or_none(cloud: Cloud) -> None:
    body = {"networks": [{"name": "one"}, {"name": "two"}]}
    made = cloud.as_member.post(f"{V2}/networks", body)
    assert made.status_code == 201
    assert [one["name"] for one in made.json()["networks"]] == ["one", "two"]
    body = {"networks": [{"name": "three"}, {"shared": True}]}
    assert cloud.as_member.post(f"{V2}/networks", body).status_code == 403
    assert len(cloud.as_member.get(f"{V2}/networks").json()["networks"]) == 2


@pytest.mark.parametrize(
    "body",
    [
        {}, [], {"network": []}, {"network": {"colour": "red"}}, {"network": {"name": 5}},
        {"network": {"name": "x" * 256}},
        {"network": {"shared": "yes"}}, {"network": {}, "networks": []}, {"networks": []}, {"network": {"id": "mine"}},
        {"network": {"mtu": 9000}}, {"network": {"mtu": -1}},
    ],
)  # fmt: skip
def test_malformed_networks_are_400(cloud: Cloud, body: Any) -> None:
    answer = cloud.as_member.post(f"{V2}/networks", body)
    assert answer.status_code == 400
    assert answer.json()["NeutronError"]["type"] in ("HTTPBadRequest", "InvalidInput")


@pytest.mark.parametrize(("asked", "given"), [(1400, 1400), ("1400", 1400), (0, 1450)])
def test_an_mtu_may_be_chosen(cloud: Cloud, asked: int | str, given: int) -> None:
    assert make_network(cloud.as_member, mtu=asked)["mtu"] == given


def test_unknown_and_read_only_attributes_are_named(cloud: Cloud) -> None:
    answer = cloud.as_member.post(f"{V2}/networks", {"network": {"colour": "red"}})
    refused(answer, 400, "HTTPBadRequest", "Unrecognized attribute(s) 'colour'")
    path = f"{V2}/networks/{make_network(cloud.as_member)['id']}"
    answer = cloud.as_member.put(path, {"network": {"project_id": "b" * 32}})
    refused(answer, 400, "HTTPBadRequest", "Cannot update read-only attribute project_id")


# --- subnets


def test_a_subnet_has_a_gateway_a_pool_and_a_dhcp_port(cloud: Cloud) -> None:
    network = make_network(cloud.as_member)
    subnet = make_subnet(cloud.as_member, network["id"])
    assert subnet["gateway_ip"] == "10.1.0.1"
    assert subnet["allocation_pools"] == [{"start": "10.1.0.2", "end": "10.1.0.14"}]
    assert subnet["enable_dhcp"] is True
    ports = cloud.as_member.get(f"{V2}/ports?network_id={network['id']}").json()["ports"]
    assert [(one["device_owner"], one["fixed_ips"][0]["ip_address"]) for one in ports] == [("network:dhcp", "10.1.0.2")]
    assert cloud.as_member.get(f"{V2}/networks/{network['id']}").json()["network"]["subnets"] == [subnet["id"]]


def test_without_dhcp_no_address_is_reserved(cloud: Cloud) -> None:
    network = make_network(cloud.as_member)
    subnet = make_subnet(cloud.as_member, network["id"], enable_dhcp=False)
    ports = f"{V2}/ports?device_owner=network:dhcp"
    assert cloud.as_member.get(ports).json() == {"ports": []}
    path = f"{V2}/subnets/{subnet['id']}"
    cloud.as_member.put(path, {"subnet": {"enable_dhcp": True}})
    assert len(cloud.as_member.get(ports).json()["ports"]) == 1
    cloud.as_member.put(path, {"subnet": {"enable_dhcp": False}})
    assert cloud.as_member.get(ports).json() == {"ports": []}


def test_overlapping_subnets_on_one_network_are_refused(cloud: Cloud) -> None:
    network = make_network(cloud.as_member)
    make_subnet(cloud.as_member, network["id"], "10.100.0.0/28")
    for cidr in ("10.100.0.0/28", "10.100.0.8/29", "10.100.0.0/16"):
        body = {"subnet": {"network_id": network["id"], "cidr": cidr, "ip_version": 4}}
        refused(cloud.as_member.post(f"{V2}/subnets", body), 400, "InvalidInput", "overlaps with another subnet")
    other = make_network(cloud.as_member)
    make_subnet(cloud.as_member, other["id"], "10.100.0.0/28")
    make_subnet(cloud.as_member, network["id"], "10.100.0.16/28")


@pytest.mark.parametrize(
    ("wanted", "status", "kind"),
    [
        ({"cidr": "10.0.0.0/33"}, 400, "InvalidInput"),
        ({"cidr": "ten"}, 400, "InvalidInput"),
        ({"cidr": "10.0.0.0"}, 400, "InvalidInput"),
        ({"cidr": "10.0.0.0/255.255.255.0"}, 400, "InvalidInput"),
        ({"cidr": "0.0.0.0/0"}, 400, "InvalidInput"),
        ({"cidr": "224.0.0.0/24"}, 400, "InvalidInput"),
        ({"cidr": "127.0.0.0/24"}, 400, "InvalidInput"),
        ({"cidr": "10.0.0.0/31"}, 400, "InvalidInput"),
        ({"cidr": "fd00::/64"}, 400, "InvalidInput"),
        ({"gateway_ip": "10.0.0.0"}, 400, "InvalidInput"),
        ({"gateway_ip": "10.0.0.255"}, 400, "InvalidInput"),
        ({"gateway_ip": "fd00::1"}, 400, "InvalidInput"),
        ({"gateway_ip": "nowhere"}, 400, "InvalidInput"),
        ({"allocation_pools": [{"start": "10.0.0.9", "end": "10.0.0.2"}]}, 400, "InvalidAllocationPool"),
        ({"allocation_pools": [{"start": "x", "end": "10.0.0.2"}]}, 400, "InvalidAllocationPool"),
        ({"allocation_pools": [{"start": "10.0.0.2", "end": "10.0.1.2"}]}, 400, "OutOfBoundsAllocationPool"),
        ({"allocation_pools": [{"start": "10.0.0.0", "end": "10.0.0.9"}]}, 400, "OutOfBoundsAllocationPool"),
        ({"allocation_pools": [{"start": "10.0.0.1", "end": "10.0.0.9"}]}, 409, "GatewayConflictWithAllocationPools"),
        (
            {
                "allocation_pools": [
                    {"start": "10.0.0.2", "end": "10.0.0.9"},
                    {"start": "10.0.0.9", "end": "10.0.0.12"},
                ]
            },
            409,
            "OverlappingAllocationPools",
        ),
        ({"dns_nameservers": ["10.0.0.300"]}, 400, "InvalidInput"),
        ({"dns_nameservers": [f"10.0.0.{n}" for n in range(1, 8)]}, 400, "DNSNameServersExhausted"),
        ({"host_routes": [{"destination": "10.9.0.0/24", "nexthop": "x"}]}, 400, "InvalidInput"),
        ({"host_routes": [{"destination": "10.9.0.0/24"}]}, 400, "HTTPBadRequest"),
        ({"ipv6_ra_mode": "slaac"}, 400, "InvalidInput"),
        ({"subnetpool_id": "x"}, 404, "SubnetPoolNotFound"),
        ({"use_default_subnetpool": True}, 400, "HTTPBadRequest"),
    ],
)
def test_wrong_subnets(cloud: Cloud, wanted: dict[str, Any], status: int, kind: str) -> None:
    network = make_network(cloud.as_member)
    body = {"subnet": {"network_id": network["id"], "cidr": "10.0.0.0/24", "ip_version": 4} | wanted}
    refused(cloud.as_member.post(f"{V2}/subnets", body), status, kind)
    assert cloud.as_member.get(f"{V2}/subnets").json() == {"subnets": []}
    assert cloud.as_member.get(f"{V2}/quotas/{'a' * 32}/details").json()["quota"]["subnet"]["used"] == 0


def test_host_bits_of_a_cidr_are_dropped(cloud: Cloud) -> None:
    assert make_subnet(cloud.as_member, make_network(cloud.as_member)["id"], "10.0.0.77/24")["cidr"] == "10.0.0.0/24"


def test_a_gateway_in_the_middle_splits_the_pool(cloud: Cloud) -> None:
    subnet = make_subnet(cloud.as_member, make_network(cloud.as_member)["id"], "10.0.0.0/29", gateway_ip="10.0.0.3")
    assert subnet["allocation_pools"] == [
        {"start": "10.0.0.1", "end": "10.0.0.2"},
        {"start": "10.0.0.4", "end": "10.0.0.6"},
    ]


def test_a_subnet_without_a_gateway(cloud: Cloud) -> None:
    subnet = make_subnet(cloud.as_member, make_network(cloud.as_member)["id"], "10.0.0.0/29", gateway_ip=None)
    assert subnet["gateway_ip"] is None
    assert subnet["allocation_pools"] == [{"start": "10.0.0.1", "end": "10.0.0.6"}]


def test_a_subnet_in_use_cannot_go_nor_can_its_network(cloud: Cloud) -> None:
    network = make_network(cloud.as_member)
    subnet = make_subnet(cloud.as_member, network["id"])
    port = cloud.as_member.post(f"{V2}/ports", {"port": {"network_id": network["id"]}}).json()["port"]
    refused(cloud.as_member.delete(f"{V2}/subnets/{subnet['id']}"), 409, "SubnetInUse")
    refused(
        cloud.as_member.delete(f"{V2}/networks/{network['id']}"),
        409, "NetworkInUse", "There are one or more ports still in use on the network",
    )  # fmt: skip
    assert cloud.as_member.delete(f"{V2}/ports/{port['id']}").status_code == 204
    assert cloud.as_member.delete(f"{V2}/networks/{network['id']}").status_code == 204
    refused(cloud.as_member.get(f"{V2}/subnets/{subnet['id']}"), 404, "SubnetNotFound")
    used = cloud.as_member.get(f"{V2}/quotas/{'a' * 32}/details").json()["quota"]
    assert {name: used[name]["used"] for name in ("network", "subnet", "port")} == dict.fromkeys(
        ("network", "subnet", "port"), 0
    )


def test_a_subnet_changes_its_gateway_resolvers_and_routes(cloud: Cloud) -> None:
    network = make_network(cloud.as_member)
    pools = [{"start": "10.1.0.5", "end": "10.1.0.9"}]
    subnet = make_subnet(cloud.as_member, network["id"], allocation_pools=pools)
    changes = {
        "gateway_ip": "10.1.0.2",
        "dns_nameservers": ["8.8.8.8"],
        "host_routes": [{"destination": "10.20.0.0/32", "nexthop": "10.1.0.3"}],
    }
    changed = cloud.as_member.put(f"{V2}/subnets/{subnet['id']}", {"subnet": changes}).json()["subnet"]
    assert {name: changed[name] for name in changes} == changes
    answer = cloud.as_member.put(f"{V2}/subnets/{subnet['id']}", {"subnet": {"gateway_ip": "10.1.0.6"}})
    refused(answer, 409, "GatewayConflictWithAllocationPools")
    answer = cloud.as_member.put(f"{V2}/subnets/{subnet['id']}", {"subnet": {"cidr": "10.2.0.0/24"}})
    refused(answer, 400, "HTTPBadRequest", "read-only")


def test_slaac_subnets_give_addresses_made_from_the_mac(cloud: Cloud) -> None:
    network = make_network(cloud.as_member)
    modes = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
    subnet = make_subnet(cloud.as_member, network["id"], "fd00:1::/64", **modes)
    body = {"port": {"network_id": network["id"], "mac_address": "fa:16:3e:00:00:01"}}
    port = cloud.as_member.post(f"{V2}/ports", body).json()["port"]
    assert port["fixed_ips"] == [{"subnet_id": subnet["id"], "ip_address": "fd00:1::f816:3eff:fe00:1"}]
    assert cloud.as_member.delete(f"{V2}/subnets/{subnet['id']}").status_code == 204
    assert cloud.as_member.get(f"{V2}/ports/{port['id']}").json()["port"]["fixed_ips"] == []


def test_quota_of_networks(cloud: Cloud) -> None:
    cloud.as_admin.put(f"{V2}/quotas/{'a' * 32}", {"quota": {"network": 2}})
    make_network(cloud.as_member)
    body = {"networks": [{}, {}]}
    refused(cloud.as_member.post(f"{V2}/networks", body), 409, "OverQuota", "Quota exceeded for resources: ['network']")
    make_network(cloud.as_member)
    refused(cloud.as_member.post(f"{V2}/networks", {"network": {}}), 409, "OverQuota")
