"""Routers, quotas, tags, discovery, and what is offered but empty or refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.test_network_networks import V2, make_network, make_subnet, refused
from tests.api.test_network_ports import make_port
from tests.support.client import Cloud


def make_router(person: Any, **attributes: Any) -> dict[str, Any]:
    answer = person.post(f"{V2}/routers", {"router": {"name": "r", **attributes}})
    assert answer.status_code == 201, answer.content
    return answer.json()["router"]


def plug(person: Any, router: dict[str, Any], what: str = "add", **body: str) -> Any:
    return person.put(f"{V2}/routers/{router['id']}/{what}_router_interface", body)


def test_a_router_is_made_shown_changed_and_deleted(cloud: Cloud) -> None:
    router = make_router(cloud.as_member, admin_state_up=False, external_gateway_info={})
    assert (router["status"], router["admin_state_up"]) == ("ACTIVE", False)
    assert router["external_gateway_info"] is None
    path = f"{V2}/routers/{router['id']}"
    changed = cloud.as_member.put(path, {"router": {"admin_state_up": True, "external_gateway_info": None}})
    assert changed.json()["router"]["admin_state_up"] is True
    refused(cloud.as_other.get(path), 404, "RouterNotFound")
    assert cloud.as_member.delete(path).status_code == 204
    refused(cloud.as_member.get(path), 404, "RouterNotFound")
    assert make_router(cloud.as_admin, project_id="b" * 32)["project_id"] == "b" * 32


def test_an_interface_by_subnet_takes_the_gateway_address(cloud: Cloud) -> None:
    network, router = make_network(cloud.as_member), make_router(cloud.as_member)
    subnet = make_subnet(cloud.as_member, network["id"])
    made = plug(cloud.as_member, router, subnet_id=subnet["id"])
    assert made.status_code == 200
    assert made.json()["subnet_id"] == subnet["id"]
    port = cloud.as_member.get(f"{V2}/ports/{made.json()['port_id']}").json()["port"]
    assert (port["device_id"], port["device_owner"]) == (router["id"], "network:router_interface")
    assert (port["status"], port["fixed_ips"][0]["ip_address"]) == ("ACTIVE", "10.1.0.1")
    refused(cloud.as_member.delete(f"{V2}/routers/{router['id']}"), 409, "RouterInUse")
    refused(cloud.as_member.delete(f"{V2}/ports/{port['id']}"), 409, "ServicePortInUse")
    refused(cloud.as_member.delete(f"{V2}/subnets/{subnet['id']}"), 409, "SubnetInUse")
    refused(cloud.as_member.delete(f"{V2}/networks/{network['id']}"), 409, "NetworkInUse")
    refused(plug(cloud.as_member, router, subnet_id=subnet["id"]), 400, "HTTPBadRequest", "already has a port")
    changes = {"port": {"fixed_ips": [{"subnet_id": subnet["id"]}]}}
    kept = cloud.as_member.put(f"{V2}/ports/{port['id']}", changes).json()["port"]
    assert kept["fixed_ips"] == port["fixed_ips"]
    assert plug(cloud.as_member, router, "remove", subnet_id=subnet["id"]).status_code == 200
    refused(cloud.as_member.get(f"{V2}/ports/{port['id']}"), 404, "PortNotFound")
    refused(plug(cloud.as_member, router, "remove", subnet_id=subnet["id"]), 404, "RouterInterfaceNotFoundForSubnet")
    assert cloud.as_member.delete(f"{V2}/routers/{router['id']}").status_code == 204


def test_an_interface_by_port(cloud: Cloud) -> None:
    network, router = make_network(cloud.as_member), make_router(cloud.as_member)
    make_subnet(cloud.as_member, network["id"])
    port = make_port(cloud.as_member, network["id"])
    made = plug(cloud.as_member, router, port_id=port["id"])
    assert made.json()["port_id"] == port["id"]
    found = cloud.as_member.get(f"{V2}/ports?device_id={router['id']}").json()["ports"]
    assert [one["id"] for one in found] == [port["id"]]
    refused(plug(cloud.as_member, router, port_id=port["id"]), 409, "PortInUse")
    assert plug(cloud.as_member, router, "remove", port_id=port["id"]).status_code == 200
    refused(plug(cloud.as_member, router, "remove", port_id=port["id"]), 404, "RouterInterfaceNotFound")


def test_overlapping_subnets_do_not_meet_on_a_router(cloud: Cloud) -> None:
    router = make_router(cloud.as_member)
    one, two = (make_subnet(cloud.as_member, make_network(cloud.as_member)["id"]) for _ in range(2))
    plug(cloud.as_member, router, subnet_id=one["id"])
    refused(plug(cloud.as_member, router, subnet_id=two["id"]), 400, "HTTPBadRequest", "overlaps with cidr")


def test_foreign_subnets_and_ports_on_a_router(cloud: Cloud) -> None:
    network, router = make_network(cloud.as_member), make_router(cloud.as_other)
    subnet = make_subnet(cloud.as_member, network["id"])
    port = make_port(cloud.as_member, network["id"])
    refused(plug(cloud.as_other, router, subnet_id=subnet["id"]), 404, "SubnetNotFound")
    refused(plug(cloud.as_other, router, port_id=port["id"]), 404, "PortNotFound")
    mine = make_router(cloud.as_member)
    refused(plug(cloud.as_other, mine, subnet_id=subnet["id"]), 404, "RouterNotFound")


def test_gateways_are_refused_clearly(cloud: Cloud) -> None:
    router = make_router(cloud.as_member)
    private, public = make_network(cloud.as_member), make_network(cloud.as_admin, **{"router:external": True})
    for network_id, status, kind, words in (
        (router["id"], 404, "NetworkNotFound", "could not be found"),
        (private["id"], 400, "HTTPBadRequest", "is not an external network"),
        (public["id"], 400, "ExternalGatewayNotOffered", "not offered by this cloud"),
    ):
        body = {"router": {"external_gateway_info": {"network_id": network_id}}}
        refused(cloud.as_member.put(f"{V2}/routers/{router['id']}", body), status, kind, words)
        refused(cloud.as_member.post(f"{V2}/routers", body), status, kind, words)


def test_floating_addresses_are_an_empty_list_and_refused(cloud: Cloud) -> None:
    assert cloud.as_reader.get(f"{V2}/floatingips").json() == {"floatingips": []}
    body = {"floatingip": {"floating_network_id": "x"}}
    refused(cloud.as_member.post(f"{V2}/floatingips", body), 400, "FloatingIpNotOffered", "no external network")
    refused(cloud.as_member.get(f"{V2}/floatingips/x"), 404, "FloatingIPNotFound")


def test_what_is_not_offered_is_404(cloud: Cloud) -> None:
    for path in ("address-scopes", "trunks", "rbac-policies", "nonsense", "networks/x/y"):
        answer = cloud.as_admin.get(f"{V2}/{path}")
        assert answer.status_code == 404, path
        assert "NeutronError" in answer.json()


def test_extensions_are_listed_and_shown(cloud: Cloud) -> None:
    listed = cloud.as_reader.get(f"{V2}/extensions").json()["extensions"]
    aliases = {one["alias"] for one in listed}
    assert {
        "security-group", "router", "external-net", "extra_dhcp_opt", "binding", "port-security", "quotas", "provider",
        "standard-attr-tag",
    } <= aliases  # fmt: skip
    assert not aliases & {"dvr", "l3-ha", "trunk", "allowed-address-pairs", "extraroute"}
    for one in listed:
        assert cloud.as_reader.get(f"{V2}/extensions/{one['alias']}").json()["extension"] == one
    refused(cloud.as_reader.get(f"{V2}/extensions/dvr"), 404, "ExtensionNotFound")


def test_empty_collections(cloud: Cloud) -> None:
    assert cloud.as_reader.get(f"{V2}/agents").json() == {"agents": []}
    assert cloud.as_reader.get(f"{V2}/availability_zones").json() == {"availability_zones": []}


# --- quotas

A, B = "a" * 32, "b" * 32


def test_quotas_of_ones_own_project(cloud: Cloud) -> None:
    quota = cloud.as_reader.get(f"{V2}/quotas/{A}").json()["quota"]
    assert quota == {
        "network": 100, "subnet": 100, "subnetpool": 100, "port": 500, "router": 10, "security_group": 10,
        "security_group_rule": 100,
    }  # fmt: skip
    assert cloud.as_reader.get(f"{V2}/quotas/{A}/default").json()["quota"] == quota
    assert cloud.as_reader.get(f"{V2}/quotas/tenant").json()["tenant"]["tenant_id"] == A
    make_network(cloud.as_member)
    detail = cloud.as_reader.get(f"{V2}/quotas/{A}/details.json").json()["quota"]["network"]
    assert detail == {"limit": 100, "used": 1, "reserved": 0}


def test_quotas_of_other_projects_are_the_administrators(cloud: Cloud) -> None:
    for path in (f"quotas/{B}", f"quotas/{B}/details", f"quotas/{B}/default"):
        refused(cloud.as_member.get(f"{V2}/{path}"), 403, "PolicyNotAuthorized")
    assert cloud.as_member.get(f"{V2}/quotas").status_code == 403
    assert cloud.as_member.put(f"{V2}/quotas/{A}", {"quota": {"port": -1}}).status_code == 403
    assert cloud.as_member.delete(f"{V2}/quotas/{A}").status_code == 403
    changed = cloud.as_admin.put(f"{V2}/quotas/{B}", {"quota": {"port": 7}}).json()["quota"]
    assert changed["port"] == 7
    assert cloud.as_admin.get(f"{V2}/quotas").json()["quotas"] == [{**changed, "tenant_id": B, "project_id": B}]
    assert cloud.as_admin.delete(f"{V2}/quotas/{B}").status_code == 204
    assert cloud.as_admin.get(f"{V2}/quotas").json() == {"quotas": []}
    refused(cloud.as_admin.delete(f"{V2}/quotas/{B}"), 404, "TenantQuotaNotFound")


@pytest.mark.parametrize("quota", [{"port": -2}, {"port": "many"}, {"colour": 1}, {"port": 2**31}])
def test_malformed_quotas(cloud: Cloud, quota: dict[str, Any]) -> None:
    refused(cloud.as_admin.put(f"{V2}/quotas/{B}", {"quota": quota}), 400, "HTTPBadRequest")


def test_port_and_router_quotas_hold_and_are_given_back(cloud: Cloud) -> None:
    cloud.as_admin.put(f"{V2}/quotas/{A}", {"quota": {"port": 1, "router": 1, "subnet": 1}})
    network = make_network(cloud.as_member)
    make_subnet(cloud.as_member, network["id"])
    body = {"subnet": {"network_id": network["id"], "cidr": "10.2.0.0/24", "ip_version": 4}}
    refused(cloud.as_member.post(f"{V2}/subnets", body), 409, "OverQuota", "['subnet']")
    port = make_port(cloud.as_member, network["id"])
    refused(cloud.as_member.post(f"{V2}/ports", {"port": {"network_id": network["id"]}}), 409, "OverQuota", "['port']")
    cloud.as_member.delete(f"{V2}/ports/{port['id']}")
    make_port(cloud.as_member, network["id"])
    router = make_router(cloud.as_member)
    refused(cloud.as_member.post(f"{V2}/routers", {"router": {}}), 409, "OverQuota", "['router']")
    cloud.as_member.delete(f"{V2}/routers/{router['id']}")
    make_router(cloud.as_member)


# --- tags


def everything(cloud: Cloud) -> dict[str, str]:
    network = make_network(cloud.as_member)
    subnet = make_subnet(cloud.as_member, network["id"])
    group = cloud.as_member.get(f"{V2}/security-groups").json()["security_groups"][0]
    pool = {"subnetpool": {"name": "p", "prefixes": ["10.0.0.0/8"]}}
    return {
        "subnetpools": cloud.as_member.post(f"{V2}/subnetpools", pool).json()["subnetpool"]["id"],
        "networks": network["id"],
        "subnets": subnet["id"],
        "ports": make_port(cloud.as_member, network["id"])["id"],
        "routers": make_router(cloud.as_member)["id"],
        "security-groups": group["id"],
    }


def test_tags_on_every_kind(cloud: Cloud) -> None:
    for kind, one in everything(cloud).items():
        path = f"{V2}/{kind}/{one}/tags"
        assert cloud.as_member.put(f"{path}/red", "{}").status_code == 201
        assert cloud.as_reader.get(path).json() == {"tags": ["red"]}
        assert cloud.as_reader.get(f"{path}/red").status_code == 204
        replaced = cloud.as_member.put(path, {"tags": ["blue", "green", "blue"]})
        assert replaced.json() == {"tags": ["blue", "green"]}
        refused(cloud.as_reader.get(f"{path}/red"), 404, "TagNotFound")
        key = kind.replace("-", "_")
        assert cloud.as_reader.get(f"{V2}/{kind}/{one}").json()[key[:-1]]["tags"] == ["blue", "green"]
        assert cloud.as_member.delete(f"{path}/blue").status_code == 204
        assert cloud.as_member.delete(path).status_code == 204
        assert cloud.as_reader.get(path).json() == {"tags": []}
        assert cloud.as_reader.put(f"{path}/red").status_code == 403
        assert cloud.as_other.get(path).status_code == 404
        assert cloud.as_other.put(f"{path}/red").status_code == 404


def test_tags_filter_lists(cloud: Cloud) -> None:
    ids = [make_network(cloud.as_member)["id"] for _ in range(3)]
    cloud.as_member.put(f"{V2}/networks/{ids[0]}/tags", {"tags": ["red", "blue"]})
    cloud.as_member.put(f"{V2}/networks/{ids[1]}/tags", {"tags": ["red"]})
    for query, expected in (
        ("tags=red", ids[:2]), ("tags=red,blue", ids[:1]), ("tags-any=blue,green", ids[:1]), ("not-tags=red", ids[2:]),
        ("not-tags=red,blue", ids[1:]), ("not-tags-any=blue", ids[1:]),
    ):  # fmt: skip
        found = cloud.as_member.get(f"{V2}/networks?{query}").json()["networks"]
        assert [one["id"] for one in found] == expected, query


def test_tags_are_bounded(cloud: Cloud) -> None:
    path = f"{V2}/networks/{make_network(cloud.as_member)['id']}/tags"
    refused(cloud.as_member.put(path, {"tags": [f"t{n}" for n in range(51)]}), 409, "TagLimitReached")
    for tags in (["a,b"], [""], ["x" * 256], [5], "red"):
        refused(cloud.as_member.put(path, {"tags": tags}), 400, "HTTPBadRequest")
    refused(cloud.as_member.put(f"{path}/a,b"), 400, "HTTPBadRequest")
    cloud.as_member.put(path, {"tags": [f"t{n}" for n in range(50)]})
    refused(cloud.as_member.put(f"{path}/one-more"), 409, "TagLimitReached")
    assert cloud.as_member.put(f"{path}/t1").status_code == 201


def test_a_limit_below_what_is_used_is_refused_when_asked(cloud: Cloud) -> None:
    make_network(cloud.as_member)
    make_network(cloud.as_member)
    path = f"{V2}/quotas/{A}"
    refused(cloud.as_admin.put(path, {"quota": {"network": 1, "check_limit": True}}), 409, "InvalidQuotaValue")
    assert cloud.as_admin.get(path).json()["quota"]["network"] == 100
    assert cloud.as_admin.put(path, {"quota": {"network": 1, "check_limit": False}}).status_code == 200
    assert cloud.as_admin.put(path, {"quota": {"network": 1, "check_limit": True, "force": True}}).status_code == 200


def test_a_segment_may_be_written_as_text(cloud: Cloud) -> None:
    wanted = {"provider:network_type": "vxlan", "provider:segmentation_id": "7777"}
    assert make_network(cloud.as_admin, **wanted)["provider:segmentation_id"] == 7777
    for text in ("0", "x", "-1", "99999999", "16777216", 16777216):
        answer = cloud.as_admin.post(f"{V2}/networks", {"network": {"provider:segmentation_id": text}})
        assert answer.status_code == 400, text
