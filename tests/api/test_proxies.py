"""What Compute once forwarded to the Network and Image services, and still does for old clients."""

from __future__ import annotations

from typing import Any

import pytest

from integrations.images import facade as images
from integrations.networks import facade as networks
from tests.support.auth import PROJECT_A, actor
from tests.support.client import Cloud

BASE = "/compute/v2.1"
GROUPS = f"{BASE}/os-security-groups"
RULES = f"{BASE}/os-security-group-rules"
NOBODY = "7c3a4a3f-6f1e-4c57-a7a5-0c6fbb8e0a11"


def group(person: Any, name: str = "web") -> dict[str, Any]:
    made = person.post(GROUPS, {"security_group": {"name": name, "description": "d"}})
    assert made.status_code == 200, made.content
    return made.json()["security_group"]


def rule(person: Any, parent: str, /, **wanted: Any) -> Any:
    return person.post(RULES, {"security_group_rule": {"parent_group_id": parent} | wanted})


# --- security groups


def test_a_group_is_made_shown_changed_listed_and_deleted(cloud: Cloud) -> None:
    member = cloud.as_member
    made = group(member)
    assert made == {"id": made["id"], "name": "web", "description": "d", "tenant_id": PROJECT_A, "rules": []}
    path = f"{GROUPS}/{made['id']}"
    assert cloud.as_reader.get(path).json() == {"security_group": made}
    changed = member.put(path, {"security_group": {"name": "www", "description": ""}})
    assert (changed.json()["security_group"]["name"], changed.json()["security_group"]["description"]) == ("www", "")
    assert [one["name"] for one in member.get(GROUPS).json()["security_groups"]] == ["default", "www"]
    assert member.delete(path).status_code == 202
    assert member.get(path).status_code == 404
    assert member.delete(path).status_code == 404
    assert member.put(path, {"security_group": {"name": "x", "description": ""}}).status_code == 404


def test_rules_are_added_shown_and_removed(cloud: Cloud) -> None:
    member = cloud.as_member
    web, db = group(member), group(member, "db")
    added = rule(member, web["id"], ip_protocol="tcp", from_port=22, to_port="22", cidr="10.0.0.0/8")
    assert added.status_code == 200, added.content
    ssh = added.json()["security_group_rule"]
    assert ssh == {
        "id": ssh["id"],
        "parent_group_id": web["id"],
        "ip_protocol": "tcp",
        "from_port": 22,
        "to_port": 22,
        "group": {},
        "ip_range": {"cidr": "10.0.0.0/8"},
    }
    trusted = rule(member, web["id"], ip_protocol="udp", group_id=db["id"]).json()["security_group_rule"]
    assert trusted["group"] == {"name": "db", "tenant_id": PROJECT_A}
    assert (trusted["ip_range"], trusted["from_port"], trusted["to_port"]) == ({}, 1, 65535)
    ping = rule(member, web["id"], ip_protocol="icmp", from_port=-1, to_port=-1).json()["security_group_rule"]
    assert (ping["ip_range"], ping["from_port"], ping["to_port"]) == ({"cidr": "0.0.0.0/0"}, -1, -1)
    shown = member.get(f"{GROUPS}/{web['id']}").json()["security_group"]["rules"]
    assert sorted(shown, key=str) == sorted([ssh, trusted, ping], key=str)
    assert member.delete(f"{RULES}/{ssh['id']}").status_code == 202
    assert member.delete(f"{RULES}/{ssh['id']}").status_code == 404


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"ip_protocol": "tcp"},
        {"ip_protocol": "tcp", "from_port": 22},
        {"ip_protocol": "tcp", "from_port": 22, "to_port": 21},
        {"ip_protocol": "tcp", "from_port": 0, "to_port": 21},
        {"ip_protocol": "tcp", "from_port": 22, "to_port": 65536},
        {"ip_protocol": "tcp", "from_port": "x", "to_port": 22},
        {"ip_protocol": "icmp", "from_port": 256, "to_port": 0},
        {"ip_protocol": "gre", "from_port": 1, "to_port": 1},
        {"ip_protocol": "tempest-999", "from_port": 22, "to_port": 22},
        {"ip_protocol": "tcp", "from_port": 22, "to_port": 22, "cidr": "10.0.0.0/99"},
        {"ip_protocol": "tcp", "from_port": 22, "to_port": 22, "group_id": "x"},
        {"ip_protocol": "tcp", "from_port": 22, "to_port": 22, "parent_group_id": "x"},
    ],
)
def test_wrong_rules_are_refused(cloud: Cloud, wanted: dict[str, Any]) -> None:
    made = group(cloud.as_member)
    assert rule(cloud.as_member, made["id"], **wanted).status_code == 400


def test_what_neutron_calls_a_conflict_nova_calls_bad(cloud: Cloud) -> None:
    made = group(cloud.as_member)
    ssh = {"ip_protocol": "tcp", "from_port": 22, "to_port": 22}
    assert rule(cloud.as_member, made["id"], **ssh).status_code == 200
    again = rule(cloud.as_member, made["id"], **ssh)
    assert (again.status_code, list(again.json())) == (400, ["badRequest"])
    [default] = [one for one in cloud.as_member.get(GROUPS).json()["security_groups"] if one["name"] == "default"]
    assert cloud.as_member.delete(f"{GROUPS}/{default['id']}").status_code == 400
    assert rule(cloud.as_member, NOBODY, **ssh).status_code == 404
    assert rule(cloud.as_member, made["id"], ip_protocol="tcp", group_id=NOBODY).status_code == 404


def test_groups_belong_to_their_project(cloud: Cloud) -> None:
    made = group(cloud.as_member)
    assert cloud.as_other.get(f"{GROUPS}/{made['id']}").status_code == 404
    assert cloud.as_other.delete(f"{GROUPS}/{made['id']}").status_code == 404
    assert rule(cloud.as_other, made["id"], ip_protocol="tcp", from_port=1, to_port=1).status_code == 404
    assert cloud.as_reader.delete(f"{GROUPS}/{made['id']}").status_code == 403
    assert cloud.as_reader.post(GROUPS, {"security_group": {"name": "x", "description": ""}}).status_code == 403
    names = {one["name"] for one in cloud.as_admin.get(f"{GROUPS}?all_tenants=1").json()["security_groups"]}
    assert "web" in names
    assert "web" not in {one["name"] for one in cloud.as_admin.get(GROUPS).json()["security_groups"]}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"security_group": {}},
        {"security_group": {"name": "x"}},
        {"security_group": None},
        {"security_group": {"name": "x" * 256, "description": ""}},
    ],
)
def test_wrong_groups_are_refused(cloud: Cloud, body: Any) -> None:
    assert cloud.as_member.post(GROUPS, body).status_code == 400
    assert cloud.as_member.get(f"{GROUPS}/not-a-uuid").status_code == 400


# --- networks


def test_networks_have_a_label_and_little_else(cloud: Cloud) -> None:
    made = cloud.as_member.post("/network/v2.0/networks", {"network": {"name": "blue"}}).json()["network"]
    listed = cloud.as_member.get(f"{BASE}/os-networks").json()["networks"]
    assert [(one["id"], one["label"], one["cidr"]) for one in listed] == [(made["id"], "blue", None)]
    assert "project_id" not in listed[0]
    assert "project_id" in cloud.as_admin.get(f"{BASE}/os-networks/{made['id']}").json()["network"]
    assert cloud.as_other.get(f"{BASE}/os-networks/{made['id']}").status_code == 404
    assert cloud.as_other.get(f"{BASE}/os-networks").json() == {"networks": []}
    old = cloud.as_member.get(f"{BASE}/os-tenant-networks").json()["networks"]
    assert old == [{"id": made["id"], "cidr": "None", "label": "blue"}]
    assert cloud.as_member.get(f"{BASE}/os-tenant-networks/{made['id']}").json() == {"network": old[0]}
    for path in ("os-networks", "os-tenant-networks"):
        assert cloud.as_member.post(f"{BASE}/{path}", {}).status_code == 410
        assert cloud.as_member.delete(f"{BASE}/{path}/{made['id']}").status_code == 410
        assert cloud.as_member.get(f"{BASE}/{path}/{NOBODY}").status_code == 404


# --- images


@pytest.fixture
def snapshot(cloud: Cloud) -> images.Image:
    facts = {"image_type": "snapshot", "instance_uuid": NOBODY}
    return images.create(actor("member-a"), "snap", disk_format="raw", min_ram_mb=64, properties=facts)


def test_images_are_listed_and_shown_in_novas_words(cloud: Cloud, snapshot: images.Image) -> None:
    [brief] = cloud.as_reader.get(f"{BASE}/images").json()["images"]
    assert set(brief) == {"id", "name", "links"}
    assert [link["rel"] for link in brief["links"]] == ["self", "bookmark", "alternate"]
    shown = cloud.as_reader.get(f"{BASE}/images/{snapshot.id}").json()["image"]
    assert cloud.as_reader.get(f"{BASE}/images/detail").json()["images"] == [shown]
    assert (shown["status"], shown["progress"], shown["minRam"], shown["server"]["id"]) == ("SAVING", 25, 64, NOBODY)
    assert shown["metadata"] == {"image_type": "snapshot", "instance_uuid": NOBODY}
    assert cloud.as_other.get(f"{BASE}/images/{snapshot.id}").status_code == 404
    assert cloud.as_other.get(f"{BASE}/images").json() == {"images": []}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("name=snap", True),
        ("name=other", False),
        ("status=SAVING", False),
        ("status=queued", True),
        (f"server={NOBODY}", True),
        (f"server=http://127.0.0.1/compute/v2.1/servers/{NOBODY}", True),
        ("server=other", False),
        ("type=snapshot", True),
        ("minRam=64", True),
        ("minRam=65", False),
        ("minDisk=1", False),
        ("changes-since=2020-01-01T00:00:00Z", True),
        ("changes-since=2999-01-01T00:00:00Z", False),
    ],
)
def test_image_lists_are_filtered(cloud: Cloud, snapshot: images.Image, query: str, found: bool) -> None:
    assert bool(cloud.as_member.get(f"{BASE}/images/detail?{query}").json()["images"]) is found


@pytest.mark.parametrize("query", ["minRam=x", "changes-since=x", "marker=x", "limit=-1"])
def test_wrong_image_filters_are_refused(cloud: Cloud, snapshot: images.Image, query: str) -> None:
    assert cloud.as_member.get(f"{BASE}/images?{query}").status_code == 400


def test_image_lists_are_paged(cloud: Cloud) -> None:
    for name in "abc":
        images.create(actor("member-a"), name, disk_format="raw")
    first = cloud.as_member.get(f"{BASE}/images?limit=2").json()
    assert len(first["images"]) == 2
    rest = cloud.as_member.get(first["images_links"][0]["href"].removeprefix("http://127.0.0.1:8774")).json()
    assert len(rest["images"]) == 1
    assert "images_links" not in rest


def test_an_image_is_deleted_by_its_owner(cloud: Cloud, snapshot: images.Image) -> None:
    path = f"{BASE}/images/{snapshot.id}"
    assert cloud.as_reader.delete(path).status_code == 403
    assert cloud.as_other.delete(path).status_code == 404
    assert cloud.as_member.delete(path).status_code == 204
    assert cloud.as_member.delete(path).status_code == 404


def test_image_metadata_is_read_and_written_until_2_38(cloud: Cloud, snapshot: images.Image) -> None:
    path = f"{BASE}/images/{snapshot.id}/metadata"
    member = cloud.as_member.at("2.38")
    assert member.put(path, {"metadata": {"a": "1", "b": "2"}}).json() == {"metadata": {"a": "1", "b": "2"}}
    assert member.post(path, {"metadata": {"b": "3"}}).json() == {"metadata": {"a": "1", "b": "3"}}
    assert member.get(path).json() == {"metadata": {"a": "1", "b": "3"}}
    assert member.get(f"{path}/b").json() == {"meta": {"b": "3"}}
    assert member.put(f"{path}/b", {"meta": {"b": "4"}}).json() == {"meta": {"b": "4"}}
    assert member.delete(f"{path}/a").status_code == 204
    assert member.get(path).json() == {"metadata": {"b": "4"}}
    assert member.get(f"{path}/a").status_code == 404
    assert member.delete(f"{path}/a").status_code == 404
    assert member.put(f"{path}/b", {"meta": {"c": "4"}}).status_code == 400
    for wrong in ({}, {"metadata": {"a": 1}}, {"metadata": {"a" * 256: "x"}}, {"metadata": {"a": "x" * 256}}):
        assert member.put(path, wrong).status_code == 400
    assert member.put(path, {"metadata": {f"k{n}": "" for n in range(129)}}).status_code == 403
    assert cloud.as_other.get(path).status_code == 404
    assert cloud.as_member.at("2.39").get(path).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "os-security-groups",
        f"os-security-groups/{NOBODY}",
        "os-networks",
        "os-tenant-networks",
        "images",
        "images/detail",
        f"images/{NOBODY}",
    ],
)
def test_nothing_is_forwarded_from_2_36(cloud: Cloud, path: str) -> None:
    assert cloud.as_member.at("2.36").get(f"{BASE}/{path}").status_code == 404


def test_a_full_quota_is_403_as_nova_says_it(cloud: Cloud) -> None:
    networks.set_quotas(PROJECT_A, {"security_group": 2})
    group(cloud.as_member)
    refused = cloud.as_member.post(GROUPS, {"security_group": {"name": "more", "description": ""}})
    assert (refused.status_code, list(refused.json())) == (403, ["forbidden"])
