"""What hangs below a server: metadata, tags, addresses, interfaces, and what is honestly empty."""

from __future__ import annotations

from typing import Any

import pytest

from instances.models import Instance
from instances.states import VmState
from operations.models import QuotaGate
from tests.support.auth import PROJECT_A
from tests.support.client import Cloud
from tests.support.servers import forget_everything, make_server, make_server_with_port

PATH = "/compute/v2.1/servers"


@pytest.fixture(autouse=True)
def fresh() -> None:
    forget_everything()


# --- metadata


def test_metadata_is_written_in_three_ways(cloud: Cloud) -> None:
    place = f"{PATH}/{make_server(metadata={'a': '1'}).id}/metadata"
    member = cloud.as_member

    assert member.post(place, {"metadata": {"b": "2"}}).json() == {"metadata": {"a": "1", "b": "2"}}
    assert member.put(f"{place}/b", {"meta": {"b": "3"}}).json() == {"meta": {"b": "3"}}
    assert member.get(f"{place}/b").json() == {"meta": {"b": "3"}}
    assert member.put(place, {"metadata": {"c": ""}}).json() == {"metadata": {"c": ""}}
    assert cloud.as_reader.get(place).json() == {"metadata": {"c": ""}}
    assert member.delete(f"{place}/c").status_code == 204
    assert member.delete(f"{place}/c").status_code == 404
    assert member.get(f"{place}/c").status_code == 404
    assert member.get(place).json() == {"metadata": {}}


@pytest.mark.parametrize(
    ("method", "where", "body"),
    [
        ("POST", "", {}), ("POST", "", {"metadata": None}), ("POST", "", {"metadata": {"a": None}}), ("POST", "", []),
        ("POST", "", {"metadata": {"k" * 256: "x"}}), ("PUT", "", {"metadata": {"a": "v" * 256}}),
        ("PUT", "", {"meta": {}}),
        ("PUT", "/a", {"meta": {"b": "1"}}), ("PUT", "/a", {"meta": {"a": "1", "b": "2"}}), ("PUT", "/a", {"meta": {}}),
        ("PUT", "/a", {"metadata": {"a": "1"}}), ("POST", "", None), ("POST", "", {"metadata": {"": "x"}}),
    ],
)  # fmt: skip
def test_wrong_metadata_is_told(cloud: Cloud, method: str, where: str, body: Any) -> None:
    place = f"{PATH}/{make_server().id}/metadata{where}"

    assert cloud.as_member.request(method, place, body).status_code == 400


def test_metadata_has_a_limit_a_lock_and_a_state(cloud: Cloud) -> None:
    QuotaGate.objects.create(project_id=PROJECT_A, resource="metadata_items", limit=1)
    server = make_server()
    building, locked = make_server(VmState.BUILDING), make_server(locked_by="owner")

    def write(person: Any, one: Instance, **items: str) -> int:
        status: int = person.post(f"{PATH}/{one.id}/metadata", {"metadata": items}).status_code
        return status

    assert write(cloud.as_member, server, a="1", b="2") == 403
    assert write(cloud.as_member, server, a="1") == 200
    assert write(cloud.as_member, server, b="1") == 403
    assert write(cloud.as_member, building, a="1") == 409
    assert write(cloud.as_member, locked, a="1") == 409
    assert write(cloud.as_admin, locked, a="1") == 200
    assert write(cloud.as_reader, server, a="1") == 403
    assert write(cloud.as_other, server, a="1") == 404


# --- tags


def test_tags_come_and_go_from_2_26(cloud: Cloud) -> None:
    server = make_server()
    place, member = f"{PATH}/{server.id}/tags", cloud.as_member.at("2.26")

    added = member.put(f"{place}/web")
    assert added.status_code == 201
    assert added.headers["Location"].endswith(f"/servers/{server.id}/tags/web")
    assert member.put(f"{place}/web").status_code == 204
    assert member.get(f"{place}/web").status_code == 204
    assert member.get(f"{place}/db").status_code == 404
    assert member.put(place, {"tags": ["b", "a", "a"]}).json() == {"tags": ["a", "b"]}
    assert member.get(place).json() == {"tags": ["a", "b"]}
    assert member.delete(f"{place}/a").status_code == 204
    assert member.delete(f"{place}/a").status_code == 404
    assert member.delete(place).status_code == 204
    assert member.get(place).json() == {"tags": []}
    assert cloud.as_member.at("2.25").get(place).status_code == 404


def test_a_server_has_at_most_fifty_tags(cloud: Cloud) -> None:
    place, member = f"{PATH}/{make_server().id}/tags", cloud.as_member.at("2.26")

    assert member.put(place, {"tags": [f"t{number}" for number in range(50)]}).status_code == 200
    assert member.put(f"{place}/more").status_code == 400
    assert member.put(place, {"tags": [f"t{number}" for number in range(51)]}).status_code == 400


def test_wrong_tags_are_told(cloud: Cloud) -> None:
    place, member = f"{PATH}/{make_server().id}/tags", cloud.as_member.at("2.26")

    for body in (None, [], {}, {"tags": "a"}, {"tags": ["a,b"]}, {"tags": [5]}, {"tags": ["x" * 61]}):
        assert member.put(place, body).status_code == 400, body
    for tag in ("a,b", "x" * 61):
        assert member.put(f"{place}/{tag}").status_code == 400
    building = make_server(VmState.BUILDING)
    assert member.put(f"{PATH}/{building.id}/tags/a").status_code == 409
    assert cloud.as_reader.at("2.26").put(f"{place}/a").status_code == 403


# --- networks


def test_addresses_by_network(cloud: Cloud) -> None:
    place = f"{PATH}/{make_server().id}/ips"
    expected = [{"version": 4, "addr": "10.0.0.5"}, {"version": 6, "addr": "fd00::5"}]

    assert cloud.as_reader.get(place).json() == {"addresses": {"private-net": expected}}
    assert cloud.as_reader.get(f"{place}/private-net").json() == {"private-net": expected}
    assert cloud.as_reader.get(f"{place}/other").status_code == 404
    assert cloud.as_other.get(place).status_code == 404


def test_interfaces_are_the_servers_ports(cloud: Cloud) -> None:
    place = f"{PATH}/{make_server_with_port().id}/os-interface"

    (shown,) = cloud.as_reader.get(place).json()["interfaceAttachments"]

    assert set(shown) == {"net_id", "port_id", "mac_addr", "port_state", "fixed_ips"}
    assert set(shown["fixed_ips"][0]) == {"subnet_id", "ip_address"}
    tagged = cloud.as_reader.at("2.70").get(f"{place}/{shown['port_id']}").json()["interfaceAttachment"]
    assert tagged == shown | {"tag": None}
    assert cloud.as_reader.get(f"{place}/nothing").status_code == 404


def test_a_servers_groups_show_what_may_come_in(cloud: Cloud) -> None:
    (group,) = cloud.as_reader.get(f"{PATH}/{make_server_with_port().id}/os-security-groups").json()["security_groups"]

    assert (group["name"], group["tenant_id"]) == ("default", PROJECT_A)
    assert {rule["group"]["name"] for rule in group["rules"]} == {"default"}
    assert set(group["rules"][0]) == {
        "id", "parent_group_id", "ip_protocol", "from_port", "to_port", "group", "ip_range",
    }  # fmt: skip


# --- what is empty, and what is not there yet


@pytest.mark.parametrize(
    ("version", "path", "expected"),
    [
        ("2.1", "os-volume_attachments", {"volumeAttachments": []}),
        ("2.1", "os-server-password", {"password": ""}),
        ("2.78", "topology", {"nodes": [], "pagesize_kb": None}),
        ("2.97", "shares", {"shares": []}),
    ],
)
def test_what_is_empty(cloud: Cloud, version: str, path: str, expected: Any) -> None:
    server = make_server()

    assert cloud.as_member.at(version).get(f"{PATH}/{server.id}/{path}").json() == expected
    assert cloud.as_other.at(version).get(f"{PATH}/{server.id}/{path}").status_code == 404
    if version != "2.1":
        before = f"2.{int(version[2:]) - 1}"
        assert cloud.as_member.at(before).get(f"{PATH}/{server.id}/{path}").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "remote-consoles", 501), ("POST", "os-volume_attachments", 501),
        ("GET", "os-volume_attachments/x", 404), ("PUT", "os-volume_attachments/x", 501),
        ("DELETE", "os-volume_attachments/x", 501), ("DELETE", "os-server-password", 204), ("GET", "migrations", 200),
        ("GET", "migrations/1", 404), ("DELETE", "migrations/1", 404), ("POST", "migrations/1/action", 404),
        ("POST", "shares", 501), ("GET", "shares/x", 404), ("DELETE", "shares/x", 404),
    ],
)  # fmt: skip
def test_what_is_not_there_yet_says_so(cloud: Cloud, method: str, path: str, status: int) -> None:
    server = make_server()
    place = f"{PATH}/{server.id}/{path}"

    body = {} if method in ("POST", "PUT") else None

    assert cloud.as_admin.at("2.104").request(method, place, body).status_code == status
    assert cloud.as_other.at("2.104").request(method, place).status_code in (403, 404)
