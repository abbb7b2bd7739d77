"""The door for compute: resolve, allocate, release, and what hosts read."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from integrations.networks import errors, facade
from integrations.networks.facade import NetworkWish, PortPlan, ServerRef
from integrations.networks.models import FixedAddress, Network, Port, PortSecurityGroup, QuotaGate
from operations.models import Outbox
from tests.api.test_network_networks import V2, make_network, make_subnet, refused
from tests.api.test_network_ports import make_port
from tests.support.auth import actor
from tests.support.client import Cloud

A = "a" * 32
MEMBER, OTHER = actor("member-a"), actor("member-b")


def server(number: int = 1, project_id: str = A) -> ServerRef:
    return ServerRef(f"server-{number}", project_id, f"vm-{number}", "nova")


def boot(number: int, plans: list[PortPlan], groups: list[str] | None = None) -> list[facade.PortInfo]:
    with transaction.atomic():
        return facade.allocate(server(number), plans, groups or [], "host-uuid", "host-1")


@pytest.fixture
def network_id(db: None) -> str:
    return facade.ensure_network(A, "private-net", "10.1.0.0/28", dns=["10.9.9.9"])


def used(resource: str = "port") -> int:
    return QuotaGate.objects.get(project_id=A, resource=resource).used


def test_a_seeded_network_is_made_once(network_id: str) -> None:
    assert facade.ensure_network(A, "private-net", "10.1.0.0/28") == network_id
    assert Network.objects.count() == 1


def test_none_asks_nothing(db: None, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert facade.resolve(MEMBER, "none") == []


def test_auto_is_the_single_usable_network(network_id: str) -> None:
    assert facade.resolve(MEMBER, None) == facade.resolve(MEMBER, "auto") == [PortPlan(network_id)]
    assert facade.resolve(OTHER, None) == []


def test_auto_takes_a_shared_network_and_refuses_two(cloud: Cloud, network_id: str) -> None:
    shared = make_network(cloud.as_admin, shared=True)
    assert facade.resolve(OTHER, None) == []
    make_subnet(cloud.as_admin, shared["id"])
    assert facade.resolve(OTHER, None) == [PortPlan(shared["id"])]
    with pytest.raises(errors.NetworkAmbiguous):
        facade.resolve(MEMBER, None)


def test_a_server_gets_an_address_and_gives_it_back(network_id: str) -> None:
    [nic] = boot(1, facade.resolve(MEMBER, None))
    assert nic.created_here
    assert (nic.network_id, nic.network_name, nic.mtu) == (network_id, "private-net", 1450)
    assert nic.segment >= 1000
    assert nic.dhcp_address == "10.1.0.1"
    assert [(ip.address, ip.cidr, ip.gateway, ip.dns) for ip in nic.fixed_ips] == [
        ("10.1.0.2", "10.1.0.0/28", None, ("10.9.9.9",))
    ]
    assert facade.nics("server-1") == [nic]
    assert [name for _, name in facade.security_groups_of("server-1")] == ["default"]
    assert used() == 1
    row = Port.objects.get(id=nic.port_id)
    assert (row.device_id, row.device_owner, row.host_name) == ("server-1", "compute:nova", "host-1")
    facade.release("server-1")
    facade.release("server-1")
    assert facade.nics("server-1") == []
    assert used() == 0
    assert FixedAddress.objects.filter(port_id=nic.port_id).count() == 0
    assert PortSecurityGroup.objects.count() == 0


def test_status_follows_what_the_host_did(network_id: str) -> None:
    boot(1, [PortPlan(network_id)])
    states = []
    for step in (lambda: None, lambda: facade.plugged("server-1"), lambda: facade.move("server-1", "h2", "host-2")):
        step()
        states.append(Port.objects.values_list("status", "host_name").get(server_id="server-1"))
    assert states == [("DOWN", "host-1"), ("ACTIVE", "host-1"), ("DOWN", "host-2")]


def test_several_nics_keep_their_order_and_tags(cloud: Cloud, network_id: str) -> None:
    other = make_network(cloud.as_member)["id"]
    make_subnet(cloud.as_member, other, "10.2.0.0/28")
    wishes = [
        NetworkWish(network_id=other, tag="back"),
        NetworkWish(network_id=network_id, fixed_ip="10.1.0.9", tag="front"),
        NetworkWish(network_id=other),
    ]
    nics = boot(1, facade.resolve(MEMBER, wishes))
    assert [(nic.network_id, nic.tag) for nic in nics] == [(other, "back"), (network_id, "front"), (other, None)]
    assert [one.address for one in facade.addresses_of(["server-1"])] == ["10.2.0.3", "10.1.0.9", "10.2.0.4"]
    [fourth] = [nic for nic in boot(1, [PortPlan(network_id)]) if nic not in nics]
    assert facade.nics("server-1")[-1] == fourth


def test_a_given_port_is_bound_and_let_go(cloud: Cloud, network_id: str) -> None:
    port = make_port(cloud.as_member, network_id, security_groups=[])
    plans = facade.resolve(MEMBER, [NetworkWish(port_id=port["id"])])
    [nic] = boot(1, plans, ["no-matter"])
    assert (nic.port_id, nic.created_here) == (port["id"], False)
    with pytest.raises(errors.RequestedPortInUse):
        boot(2, plans)
    with pytest.raises(errors.RequestedPortInUse):
        facade.resolve(MEMBER, [NetworkWish(port_id=port["id"])])
    path = f"{V2}/ports/{port['id']}"
    refused(cloud.as_member.delete(path), 409, "PortInUse")
    refused(cloud.as_member.put(path, {"port": {"device_id": "server-2"}}), 409, "PortInUse")
    facade.release("server-1")
    after = cloud.as_member.get(path).json()["port"]
    assert (after["device_id"], after["device_owner"], after["status"]) == ("", "", "DOWN")
    assert after["fixed_ips"] == port["fixed_ips"]


def test_a_port_cannot_be_put_into_a_server_through_the_api(cloud: Cloud, network_id: str) -> None:
    boot(1, [PortPlan(network_id)])
    mine = make_network(cloud.as_other)
    make_subnet(cloud.as_other, mine["id"], "10.3.0.0/28")
    make_port(cloud.as_other, mine["id"], device_id="server-1", device_owner="compute:nova")
    assert len(facade.nics("server-1")) == 1
    assert len(facade.addresses_of(["server-1"])) == 1
    facade.release("server-1")
    assert len(cloud.as_other.get(f"{V2}/ports?device_id=server-1").json()["ports"]) == 1


def test_wishes_that_cannot_be(cloud: Cloud, network_id: str) -> None:
    bare = make_network(cloud.as_member)["id"]
    addressless = make_port(cloud.as_member, network_id, fixed_ips=[])["id"]
    taken = make_port(cloud.as_member, network_id)
    address = taken["fixed_ips"][0]["ip_address"]
    for wish, kind in (
        (NetworkWish(network_id="nowhere"), errors.RequestedNetworkNotFound),
        (NetworkWish(port_id="nowhere"), errors.RequestedPortNotFound),
        (NetworkWish(network_id=bare), errors.NetworkRequiresSubnet),
        (NetworkWish(port_id=addressless), errors.PortRequiresFixedIP),
        (NetworkWish(network_id=network_id, fixed_ip="10.9.0.1"), errors.FixedIpInvalidForNetwork),
        (NetworkWish(network_id=network_id, fixed_ip="x"), errors.FixedIpInvalidForNetwork),
        (NetworkWish(network_id=network_id, fixed_ip=address), errors.FixedIpAlreadyInUse),
        (NetworkWish(), errors.InvalidInput),
    ):
        with pytest.raises(kind):
            facade.resolve(MEMBER, [wish])
    with pytest.raises(errors.RequestedPortTwice):
        facade.resolve(MEMBER, [NetworkWish(port_id=taken["id"])] * 2)
    with pytest.raises(errors.RequestedNetworkNotFound):
        facade.resolve(OTHER, [NetworkWish(network_id=network_id)])
    with pytest.raises(errors.RequestedPortNotFound):
        facade.resolve(OTHER, [NetworkWish(port_id=taken["id"])])


def test_what_can_run_out_between_plan_and_allocation(cloud: Cloud, network_id: str) -> None:
    plan = PortPlan(network_id, fixed_ip="10.1.0.9")
    boot(1, [plan])
    with pytest.raises(errors.FixedIpAlreadyInUse):
        boot(2, [plan])
    facade.set_quotas(A, {"port": 2})
    with pytest.raises(errors.PortLimitExceeded):
        boot(2, [PortPlan(network_id)] * 2)
    facade.set_quotas(A, {"port": -1})
    with pytest.raises(errors.NoMoreFixedIps):
        boot(2, [PortPlan(network_id)] * 13)
    with pytest.raises(errors.RequestedNetworkNotFound):
        boot(2, [PortPlan("gone")])
    assert facade.nics("server-2") == []
    assert used() == 1


def test_groups_by_name_or_id(cloud: Cloud, network_id: str) -> None:
    def make(name: str) -> str:
        return cloud.as_member.post(f"{V2}/security-groups", {"security_group": {"name": name}}).json()[
            "security_group"
        ]["id"]

    web, db = make("web"), make("db")
    default = facade.resolve_groups(MEMBER, [])
    assert facade.resolve_groups(MEMBER, ["web", db, "web", "default"]) == [web, db, *default]
    with pytest.raises(errors.RequestedGroupNotFound):
        facade.resolve_groups(OTHER, [web])
    make("web")
    with pytest.raises(errors.RequestedGroupAmbiguous):
        facade.resolve_groups(MEMBER, ["web"])
    assert facade.resolve_groups(MEMBER, [web]) == [web]
    [nic] = boot(1, [PortPlan(network_id)], [web, "db"])
    assert set(nic.security_groups) == {web, db}


def test_what_a_host_carries(network_id: str) -> None:
    boot(1, [PortPlan(network_id)])
    boot(2, [PortPlan(network_id)])
    facade.move("server-2", "host-2-uuid", "host-2")
    [carried] = facade.host_networks("host-uuid")
    assert (carried.network_id, carried.cidrs, carried.dhcp_address) == (network_id, ("10.1.0.0/28",), "10.1.0.1")
    assert [port.server_id for port in carried.ports] == ["server-1"]
    assert carried.peer_host_ids == ("host-2-uuid",)
    assert facade.host_networks("no-host") == []
    assert facade.hosts_of_networks([network_id]) == {network_id: {"host-uuid", "host-2-uuid"}}


def test_costs(network_id: str, django_assert_max_num_queries: Any) -> None:
    boot(1, [PortPlan(network_id)])
    with django_assert_max_num_queries(1):
        plans = facade.resolve(MEMBER, None)
    with django_assert_max_num_queries(15), transaction.atomic():
        facade.allocate(server(2), plans, [], "host-uuid", "host-1")
    with django_assert_max_num_queries(8), transaction.atomic():
        facade.release("server-2")
    with django_assert_max_num_queries(4):
        assert len(facade.nics_of_servers(["server-1", "server-2"])["server-1"]) == 1
    with django_assert_max_num_queries(1):
        facade.addresses_of(["server-1", "server-2"])


def test_one_nic_of_two_is_let_go(network_id: str) -> None:
    first, second = boot(1, [PortPlan(network_id)] * 2)
    assert facade.release_port("server-1", first.port_id)
    assert not facade.release_port("server-1", first.port_id)
    assert not facade.release_port("server-2", second.port_id)
    assert facade.nics("server-1") == [second]


def test_groups_and_networks_for_the_proxies(cloud: Cloud, network_id: str) -> None:
    assert [one.name for one in facade.networks_of(MEMBER)] == ["private-net"]
    assert len(facade.network(MEMBER, network_id).subnets) == 1
    assert facade.networks_of(OTHER) == []
    with pytest.raises(errors.NetworkNotFound):
        facade.network(OTHER, network_id)

    made = facade.create_security_group(MEMBER, "web", "ours")
    rule = facade.add_security_group_rule(MEMBER, made.id, direction="ingress", protocol="tcp")
    group = facade.update_security_group(MEMBER, made.id, "web2", "theirs")
    assert (group.name, group.description, len(group.rules)) == ("web2", "theirs", 3)
    assert [one.name for one in facade.security_groups(MEMBER)] == ["default", "web2"]
    assert [one.name for one in facade.security_groups(OTHER)] == ["default"]
    assert len(facade.security_groups(actor("admin"), all_projects=True)) == 4
    with pytest.raises(errors.SecurityGroupRuleNotFound):
        facade.delete_security_group_rule(OTHER, rule.id)
    with pytest.raises(errors.SecurityGroupNotFound):
        facade.delete_security_group(OTHER, made.id)
    facade.delete_security_group_rule(MEMBER, rule.id)
    facade.delete_security_group(MEMBER, made.id)
    assert facade.groups_by_id([made.id]) == {}


def test_servers_hear_of_changes_to_their_nics(cloud: Cloud, network_id: str) -> None:
    def heard() -> list[tuple[str, str]]:
        found = [(one.topic, one.body["device_id"]) for one in Outbox.objects.all()]
        Outbox.objects.all().delete()
        return found

    [nic] = boot(1, [PortPlan(network_id)])
    boot(2, [PortPlan(network_id)])
    assert heard() == []
    both = [("port.updated", "server-1"), ("port.updated", "server-2")]
    subnet_id = nic.fixed_ips[0].subnet_id
    for path, body, expected in (
        (f"ports/{nic.port_id}", {"port": {"security_groups": []}}, both[:1]),
        (f"subnets/{subnet_id}", {"subnet": {"dns_nameservers": ["1.1.1.1"]}}, both),
        (f"subnets/{subnet_id}", {"subnet": {"enable_dhcp": False}}, both),
        (f"subnets/{subnet_id}", {"subnet": {"name": "x"}}, []),
        (f"networks/{network_id}", {"network": {"name": "x"}}, both),
        (f"networks/{network_id}", {"network": {"description": "x"}}, []),
    ):
        assert cloud.as_member.put(f"{V2}/{path}", body).status_code == 200
        assert heard() == expected, path
    make_subnet(cloud.as_member, network_id, "10.7.0.0/24")
    assert heard() == both
