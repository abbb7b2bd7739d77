"""Ports: what they get, who may write what, and how they are found again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.test_network_networks import V2, make_network, make_subnet, refused
from tests.support.client import Cloud


def make_port(person: Any, network_id: str, **attributes: Any) -> dict[str, Any]:
    answer = person.post(f"{V2}/ports", {"port": {"network_id": network_id, **attributes}})
    assert answer.status_code == 201, answer.content
    return answer.json()["port"]


def address_of(port: dict[str, Any]) -> str:
    return port["fixed_ips"][0]["ip_address"]


@pytest.fixture
def network(cloud: Cloud) -> dict[str, Any]:
    """A network of project A with 10.1.0.0/28: the gateway has .1, DHCP .2, ports get .3 to .14."""
    made = make_network(cloud.as_member)
    make_subnet(cloud.as_member, made["id"])
    return made


def test_a_port_gets_an_address_a_mac_and_the_default_group(cloud: Cloud, network: dict[str, Any]) -> None:
    port = make_port(cloud.as_member, network["id"], name="eth0")
    groups = cloud.as_member.get(f"{V2}/security-groups?name=default").json()["security_groups"]
    assert address_of(port) == "10.1.0.3"
    assert port["mac_address"].startswith("fa:16:3e:")
    assert port["security_groups"] == [groups[0]["id"]]
    assert (port["status"], port["device_id"], port["device_owner"]) == ("DOWN", "", "")
    assert port["binding:vnic_type"] == "normal"
    assert "binding:host_id" not in port
    shown = cloud.as_reader.get(f"{V2}/ports/{port['id']}").json()["port"]
    assert shown == port


def test_addresses_follow_each_other_and_run_out(cloud: Cloud, network: dict[str, Any]) -> None:
    got = [address_of(make_port(cloud.as_member, network["id"])) for _ in range(12)]
    assert got == [f"10.1.0.{n}" for n in range(3, 15)]
    answer = cloud.as_member.post(f"{V2}/ports", {"port": {"network_id": network["id"]}})
    refused(answer, 409, "IpAddressGenerationFailure", "No more IP addresses available on network")


def test_a_freed_address_in_the_middle_is_found_when_the_end_is_reached(cloud: Cloud, network: dict[str, Any]) -> None:
    ports = [make_port(cloud.as_member, network["id"]) for _ in range(12)]
    cloud.as_member.delete(f"{V2}/ports/{ports[4]['id']}")
    assert address_of(make_port(cloud.as_member, network["id"])) == address_of(ports[4])


def test_a_chosen_address(cloud: Cloud, network: dict[str, Any]) -> None:
    port = make_port(cloud.as_member, network["id"], fixed_ips=[{"ip_address": "10.1.0.9"}])
    assert address_of(port) == "10.1.0.9"
    body = {"port": {"network_id": network["id"], "fixed_ips": [{"ip_address": "10.1.0.9"}]}}
    refused(cloud.as_member.post(f"{V2}/ports", body), 409, "IpAddressAlreadyAllocated", "10.1.0.9 already allocated")
    for address, kind in (
        ("10.2.0.9", "InvalidIpForNetwork"),
        ("10.1.0.15", "InvalidIpForNetwork"),
        ("x", "InvalidInput"),
    ):
        body = {"port": {"network_id": network["id"], "fixed_ips": [{"ip_address": address}]}}
        refused(cloud.as_member.post(f"{V2}/ports", body), 400, kind)
    assert address_of(make_port(cloud.as_member, network["id"])) == "10.1.0.10"


def test_the_same_address_twice_in_one_request(cloud: Cloud, network: dict[str, Any]) -> None:
    wanted = {"network_id": network["id"], "fixed_ips": [{"ip_address": "10.1.0.9"}]}
    refused(cloud.as_member.post(f"{V2}/ports", {"ports": [wanted, wanted]}), 409, "IpAddressAlreadyAllocated")
    assert cloud.as_member.get(f"{V2}/quotas/{'a' * 32}/details").json()["quota"]["port"]["used"] == 0


def test_no_addresses_when_none_are_wanted_and_not_more_than_five(cloud: Cloud, network: dict[str, Any]) -> None:
    assert make_port(cloud.as_member, network["id"], fixed_ips=[])["fixed_ips"] == []
    subnet_id = make_port(cloud.as_member, network["id"])["fixed_ips"][0]["subnet_id"]
    body = {"port": {"network_id": network["id"], "fixed_ips": [{"subnet_id": subnet_id}] * 6}}
    refused(cloud.as_member.post(f"{V2}/ports", body), 400, "InvalidInput", "maximum amount of fixed ips")
    body = {"port": {"network_id": network["id"], "fixed_ips": [{"subnet_id": "elsewhere"}]}}
    refused(cloud.as_member.post(f"{V2}/ports", body), 400, "InvalidInput", "invalid subnet")


def test_a_port_changes_its_addresses(cloud: Cloud, network: dict[str, Any]) -> None:
    port = make_port(cloud.as_member, network["id"])
    kept = port["fixed_ips"][0]
    second = make_subnet(cloud.as_member, network["id"], "10.2.0.0/28")
    path = f"{V2}/ports/{port['id']}"
    both = cloud.as_member.put(
        path, {"port": {"fixed_ips": [{"subnet_id": kept["subnet_id"]}, {"subnet_id": second["id"]}]}}
    ).json()["port"]["fixed_ips"]
    assert both[0] == kept
    assert both[1]["ip_address"].startswith("10.2.0.")
    only = cloud.as_member.put(path, {"port": {"fixed_ips": [{"ip_address": "10.2.0.7"}]}}).json()["port"]["fixed_ips"]
    assert only == [{"subnet_id": second["id"], "ip_address": "10.2.0.7"}]


def test_macs_are_unique_on_a_network(cloud: Cloud, network: dict[str, Any]) -> None:
    port = make_port(cloud.as_member, network["id"], mac_address="FA:16:3E:00:00:0A")
    assert port["mac_address"] == "fa:16:3e:00:00:0a"
    body = {"port": {"network_id": network["id"], "mac_address": "fa:16:3e:00:00:0a"}}
    refused(cloud.as_member.post(f"{V2}/ports", body), 409, "MacAddressInUse", "is in use")
    other = make_port(cloud.as_member, network["id"])
    answer = cloud.as_member.put(f"{V2}/ports/{other['id']}", {"port": {"mac_address": "fa:16:3e:00:00:0a"}})
    refused(answer, 409, "MacAddressInUse")
    for mac in ("fa:16:3e:00:00", "x", "01-00-5e-00-00-01"):
        body = {"port": {"network_id": network["id"], "mac_address": mac}}
        refused(cloud.as_member.post(f"{V2}/ports", body), 400, "HTTPBadRequest")


def test_group_addresses_are_no_macs(cloud: Cloud, network: dict[str, Any]) -> None:
    for mac in ("01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"):
        body = {"port": {"network_id": network["id"], "mac_address": mac}}
        refused(cloud.as_member.post(f"{V2}/ports", body), 400, "HTTPBadRequest")


@pytest.mark.parametrize(
    "attributes",
    [
        {"device_owner": "network:dhcp"}, {"device_owner": "network:router_interface"}, {"device_owner": "Network:x"},
        {"binding:host_id": "h2"}, {"binding:profile": {"a": 1}}, {"project_id": "b" * 32}, {"status": "ACTIVE"},
        {"device_owner": "network:dhcp", "binding:host_id": "h2", "project_id": "b" * 32},
    ],
)  # fmt: skip
def test_members_cannot_write_what_the_cloud_decides(
    cloud: Cloud, network: dict[str, Any], attributes: dict[str, Any]
) -> None:
    port = make_port(cloud.as_member, network["id"])
    changed = cloud.as_member.put(f"{V2}/ports/{port['id']}", {"port": attributes})
    made = cloud.as_member.post(f"{V2}/ports", {"port": {"network_id": network["id"], **attributes}})
    assert changed.status_code in (400, 403)
    assert made.status_code in (400, 403)
    assert cloud.as_member.get(f"{V2}/ports/{port['id']}").json()["port"] == port


def test_administrators_see_and_set_the_binding(cloud: Cloud, network: dict[str, Any]) -> None:
    port = make_port(cloud.as_admin, network["id"], **{"binding:host_id": "host-1"})
    assert port["binding:host_id"] == "host-1"
    assert port["binding:vif_type"] == "bridge"
    found = cloud.as_admin.get(f"{V2}/ports?binding:host_id=host-1").json()["ports"]
    assert [one["id"] for one in found] == [port["id"]]
    refused(cloud.as_member.get(f"{V2}/ports?binding:host_id=host-1"), 400, "HTTPBadRequest")
    free = cloud.as_admin.put(f"{V2}/ports/{port['id']}", {"port": {"binding:host_id": ""}}).json()["port"]
    assert (free["binding:host_id"], free["binding:vif_type"]) == ("", "unbound")


def test_other_projects_ports_do_not_exist(cloud: Cloud, network: dict[str, Any]) -> None:
    port = make_port(cloud.as_member, network["id"])
    path = f"{V2}/ports/{port['id']}"
    assert cloud.as_other.get(f"{V2}/ports?project_id={'a' * 32}").json() == {"ports": []}
    assert cloud.as_other.get(f"{V2}/ports?id={port['id']}").json() == {"ports": []}
    for answer in (cloud.as_other.get(path), cloud.as_other.put(path, {"port": {}}), cloud.as_other.delete(path)):
        refused(answer, 404, "PortNotFound")
    refused(cloud.as_other.get(f"{V2}/ports?limit=1&marker={port['id']}"), 404, "HTTPNotFound")


def test_on_a_shared_network_members_do_not_choose_addresses(cloud: Cloud) -> None:
    network = make_network(cloud.as_admin, shared=True)
    make_subnet(cloud.as_admin, network["id"])
    assert address_of(make_port(cloud.as_member, network["id"])) == "10.1.0.3"
    for attributes in (
        {"fixed_ips": [{"ip_address": "10.1.0.9"}]},
        {"mac_address": "fa:16:3e:00:00:01"},
        {"port_security_enabled": False},
    ):
        body = {"port": {"network_id": network["id"], **attributes}}
        refused(cloud.as_member.post(f"{V2}/ports", body), 403, "PolicyNotAuthorized")
    refused(
        cloud.as_admin.put(f"{V2}/networks/{network['id']}", {"network": {"shared": False}}),
        409,
        "InvalidSharedSetting",
    )


def test_the_clouds_own_ports_stay(cloud: Cloud, network: dict[str, Any]) -> None:
    dhcp = cloud.as_member.get(f"{V2}/ports?device_owner=network:dhcp").json()["ports"][0]
    refused(cloud.as_member.delete(f"{V2}/ports/{dhcp['id']}"), 409, "ServicePortInUse")
    for changes in ({"device_owner": ""}, {"device_id": "x"}):
        refused(cloud.as_admin.put(f"{V2}/ports/{dhcp['id']}", {"port": changes}), 409, "PortInUse")
    changes = {"port": {"fixed_ips": []}}
    refused(cloud.as_member.put(f"{V2}/ports/{dhcp['id']}", changes), 403, "PolicyNotAuthorized")


def test_groups_of_a_port(cloud: Cloud, network: dict[str, Any]) -> None:
    group = cloud.as_member.post(f"{V2}/security-groups", {"security_group": {"name": "web"}}).json()["security_group"]
    foreign = cloud.as_other.post(f"{V2}/security-groups", {"security_group": {"name": "web"}}).json()["security_group"]
    port = make_port(cloud.as_member, network["id"], security_groups=[group["id"]])
    assert port["security_groups"] == [group["id"]]
    path = f"{V2}/ports/{port['id']}"
    refused(cloud.as_member.put(path, {"port": {"security_groups": [foreign["id"]]}}), 404, "SecurityGroupNotFound")
    refused(cloud.as_member.delete(f"{V2}/security-groups/{group['id']}"), 409, "SecurityGroupInUse")
    found = cloud.as_member.get(f"{V2}/ports?security_groups={group['id']}").json()["ports"]
    assert [one["id"] for one in found] == [port["id"]]
    changed = cloud.as_member.put(path, {"port": {"security_groups": []}}).json()["port"]
    assert changed["security_groups"] == []
    assert cloud.as_member.delete(f"{V2}/security-groups/{group['id']}").status_code == 204


def test_port_security_and_groups(cloud: Cloud, network: dict[str, Any]) -> None:
    port = make_port(cloud.as_member, network["id"])
    path = f"{V2}/ports/{port['id']}"
    refused(
        cloud.as_member.put(path, {"port": {"port_security_enabled": False}}), 409, "PortSecurityPortHasSecurityGroup"
    )
    changes = {"port": {"port_security_enabled": False, "security_groups": []}}
    assert cloud.as_member.put(path, changes).json()["port"]["port_security_enabled"] is False
    open_port = make_port(cloud.as_member, network["id"], port_security_enabled=False)
    assert open_port["security_groups"] == []


OPTIONS = [
    {"opt_name": "bootfile-name", "opt_value": "pxelinux.0"},
    {"opt_name": "tftp-server", "opt_value": "2015::dead"},
    {"opt_name": "server-ip-address", "opt_value": "123.123.123.45"},
]


def test_dhcp_options_come_back_and_can_be_removed(cloud: Cloud, network: dict[str, Any]) -> None:
    port = make_port(cloud.as_member, network["id"], extra_dhcp_opts=OPTIONS)
    assert port["extra_dhcp_opts"] == [{**option, "ip_version": 4} for option in OPTIONS]
    changes = {"port": {"extra_dhcp_opts": [{"opt_name": "tftp-server", "opt_value": None}]}}
    left = cloud.as_member.put(f"{V2}/ports/{port['id']}", changes).json()["port"]["extra_dhcp_opts"]
    assert [option["opt_name"] for option in left] == ["bootfile-name", "server-ip-address"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("router", "1.1.1.1\ndhcp-script=x"), ("dhcp-script", "/bin/sh"), ("conf-file", "/etc/passwd"),
        ("router", "somewhere"), ("mtu", "99999"), ("domain-name", "a b"), ("bootfile-name", "x,y"),
        ("bootfile-name", "x\x7f"), ("bootfile-name", "\x85"), ("option:router", "1.1.1.1"), ("router\n", "1.1.1.1"),
        ("domain-name", "a\n"), ("vendor-class", "x\r"), ("dns-server", ",".join(["1.1.1.1"] * 9)),
    ],
)  # fmt: skip
def test_dhcp_options_that_would_rewrite_the_server(
    cloud: Cloud, network: dict[str, Any], name: str, value: str
) -> None:
    port = make_port(cloud.as_member, network["id"])
    changes = {"port": {"extra_dhcp_opts": [{"opt_name": name, "opt_value": value}]}}
    refused(cloud.as_member.put(f"{V2}/ports/{port['id']}", changes), 400, "InvalidInput")


def test_ports_are_found_by_what_clients_ask(cloud: Cloud, network: dict[str, Any]) -> None:
    first = make_port(cloud.as_member, network["id"], name="first", device_id="vm-1", device_owner="compute:nova")
    make_port(cloud.as_member, network["id"], name="second", admin_state_up=False)
    for query in (
        f"id={first['id']}", "name=first", "device_id=vm-1", "device_owner=compute:nova",
        "fixed_ips=ip_address=10.1.0.3",
        f"mac_address={first['mac_address'].upper()}", "fixed_ips=ip_address_substr=0.3", "name=first&status=DOWN",
        f"fixed_ips=ip_address%3D10.1.0.3&fixed_ips=subnet_id%3D{first['fixed_ips'][0]['subnet_id']}",
        f"network_id={network['id']}&admin_state_up=True&device_id=vm-1", "device_id=vm-1&device_id=vm-2",
    ):  # fmt: skip
        found = cloud.as_member.get(f"{V2}/ports?{query}").json()["ports"]
        assert [one["id"] for one in found] == [first["id"]], query
    for query in ("name=third", "device_id=vm-2", "fixed_ips=ip_address=10.1.0.30", "status=ACTIVE&name=first"):
        assert cloud.as_member.get(f"{V2}/ports?{query}").json() == {"ports": []}, query
    for query in ("colour=red", "admin_state_up=maybe", "network__project_id=x", "fixed_ips=colour=1"):
        refused(cloud.as_member.get(f"{V2}/ports?{query}"), 400, "HTTPBadRequest")


def test_fields_pick_attributes(cloud: Cloud, network: dict[str, Any]) -> None:
    port = make_port(cloud.as_member, network["id"])
    listed = cloud.as_member.get(f"{V2}/ports?fields=id&fields=mac_address").json()["ports"]
    assert all(set(one) == {"id", "mac_address"} for one in listed)
    shown = cloud.as_member.get(f"{V2}/ports/{port['id']}?fields=id").json()["port"]
    assert shown == {"id": port["id"]}


def test_pages_forward_and_back(cloud: Cloud, network: dict[str, Any]) -> None:
    for n in range(4):
        make_port(cloud.as_member, network["id"], name=f"port-{n}")
    names, path = [], f"{V2}/ports?limit=2&sort_key=name&sort_dir=desc&device_owner="
    while path:
        page = cloud.as_member.get(path).json()
        names += [one["name"] for one in page["ports"]]
        nexts = [link["href"] for link in page.get("ports_links", []) if link["rel"] == "next"]
        path = nexts[0].partition("8774")[2] if nexts else ""
    assert names == ["port-3", "port-2", "port-1", "port-0"]
    back = next(link["href"] for link in page["ports_links"] if link["rel"] == "previous").partition("8774")[2]
    assert [one["name"] for one in cloud.as_member.get(back).json()["ports"]] == ["port-3", "port-2"]


@pytest.mark.parametrize(
    "query", ["limit=-1", "limit=x", "sort_key=password", "sort_key=name&sort_dir=up", "sort_dir=asc"]
)
def test_malformed_pages(cloud: Cloud, query: str) -> None:
    refused(cloud.as_member.get(f"{V2}/ports?{query}"), 400, "HTTPBadRequest")


def test_a_list_costs_the_same_for_few_and_many(
    cloud: Cloud, network: dict[str, Any], django_assert_max_num_queries: Any
) -> None:
    big = make_network(cloud.as_admin, project_id="a" * 32)
    make_subnet(cloud.as_admin, big["id"], "10.9.0.0/16")
    for _ in range(3):
        wanted = [{"network_id": big["id"]}] * 50
        assert cloud.as_member.post(f"{V2}/ports", {"ports": wanted}).status_code == 201
    with django_assert_max_num_queries(5):
        assert len(cloud.as_member.get(f"{V2}/ports").json()["ports"]) == 152
