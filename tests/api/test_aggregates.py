"""Host aggregates, and the zones they make."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.client import Cloud
from tests.support.machines import make_host, make_server

AGGREGATES = "/compute/v2.1/os-aggregates"


def make(cloud: Cloud, name: str = "rack-1", zone: str | None = None) -> int:
    body = {"name": name} | ({"availability_zone": zone} if zone else {})
    made = cloud.as_admin.post(AGGREGATES, {"aggregate": body})
    assert made.status_code == 200, made.content
    return made.json()["aggregate"]["id"]


def act(cloud: Cloud, number: int | str, verb: str, **detail: Any) -> Any:
    return cloud.as_admin.post(f"{AGGREGATES}/{number}/action", {verb: detail})


def show(cloud: Cloud, number: int) -> dict[str, Any]:
    return cloud.as_admin.get(f"{AGGREGATES}/{number}").json()["aggregate"]


def test_one_is_made_shown_changed_and_deleted(cloud: Cloud) -> None:
    made = cloud.as_admin.post(AGGREGATES, {"aggregate": {"name": "rack-1", "availability_zone": "z1"}})
    assert made.status_code == 200
    new = made.json()["aggregate"]
    assert set(new) == {"id", "name", "availability_zone", "created_at", "updated_at", "deleted", "deleted_at"}
    assert (new["name"], new["availability_zone"], new["deleted"], new["updated_at"]) == ("rack-1", "z1", False, None)
    shown = show(cloud, new["id"])
    assert shown == new | {"hosts": [], "metadata": {"availability_zone": "z1"}}
    assert cloud.as_admin.get(AGGREGATES).json() == {"aggregates": [shown]}
    changed = cloud.as_admin.put(
        f"{AGGREGATES}/{new['id']}", {"aggregate": {"name": "rack-2", "availability_zone": "z2"}}
    )
    after = changed.json()["aggregate"]
    assert (after["name"], after["availability_zone"]) == ("rack-2", "z2")
    assert after["updated_at"] is not None
    assert cloud.as_admin.delete(f"{AGGREGATES}/{new['id']}").status_code == 200
    assert cloud.as_admin.get(f"{AGGREGATES}/{new['id']}").status_code == 404
    assert cloud.as_admin.delete(f"{AGGREGATES}/{new['id']}").status_code == 404


def test_its_uuid_is_shown_from_2_41(cloud: Cloud) -> None:
    number = make(cloud)
    assert "uuid" not in cloud.as_admin.at("2.40").get(f"{AGGREGATES}/{number}").json()["aggregate"]
    assert len(cloud.as_admin.at("2.41").get(f"{AGGREGATES}/{number}").json()["aggregate"]["uuid"]) == 36


def test_aggregates_are_for_administrators(cloud: Cloud) -> None:
    number = make(cloud)
    for person in (cloud.as_manager, cloud.as_member):
        assert person.get(AGGREGATES).status_code == 403
        assert person.get(f"{AGGREGATES}/{number}").status_code == 403
        assert person.post(AGGREGATES, {"aggregate": {"name": "x"}}).status_code == 403
        assert person.put(f"{AGGREGATES}/{number}", {"aggregate": {"name": "x"}}).status_code == 403
        assert person.delete(f"{AGGREGATES}/{number}").status_code == 403
        assert person.post(f"{AGGREGATES}/{number}/action", {"add_host": {"host": "x"}}).status_code == 403


@pytest.mark.parametrize(
    "wrong",
    [{}, {"name": ""}, {"name": "x" * 256}, {"name": None}, {"name": "a", "availability_zone": ""},
     {"name": "a", "availability_zone": "a:b"}, {"name": "a", "availability_zone": "z" * 256}, {"name": "a", "x": 1}],
)  # fmt: skip
def test_wrong_aggregates_are_refused(cloud: Cloud, wrong: dict[str, Any]) -> None:
    assert cloud.as_admin.post(AGGREGATES, {"aggregate": wrong}).status_code == 400
    if wrong.get("name") != "a" or len(wrong) > 1:
        number = make(cloud)
        assert cloud.as_admin.put(f"{AGGREGATES}/{number}", {"aggregate": wrong}).status_code == 400


def test_names_are_unique(cloud: Cloud) -> None:
    make(cloud, "rack-1")
    number = make(cloud, "rack-2")
    assert cloud.as_admin.post(AGGREGATES, {"aggregate": {"name": "rack-1"}}).status_code == 409
    assert cloud.as_admin.put(f"{AGGREGATES}/{number}", {"aggregate": {"name": "rack-1"}}).status_code == 409


@pytest.mark.parametrize(("number", "status"), [("x", 400), ("1.5", 400), ("-1", 404), ("999", 404)])
def test_ids_are_numbers(cloud: Cloud, number: str, status: int) -> None:
    assert cloud.as_admin.get(f"{AGGREGATES}/{number}").status_code == status
    assert cloud.as_admin.put(f"{AGGREGATES}/{number}", {"aggregate": {"name": "x"}}).status_code == status
    assert cloud.as_admin.delete(f"{AGGREGATES}/{number}").status_code == status
    assert act(cloud, number, "set_metadata", metadata={"a": "b"}).status_code == status


# --- hosts


def test_hosts_come_and_go(cloud: Cloud) -> None:
    make_host("a")
    make_host("b")
    number = make(cloud)
    added = act(cloud, number, "add_host", host="b")
    assert (added.status_code, added.json()["aggregate"]["hosts"]) == (200, ["b"])
    assert act(cloud, number, "add_host", host="a").json()["aggregate"]["hosts"] == ["a", "b"]
    assert act(cloud, number, "add_host", host="a").status_code == 409
    assert act(cloud, number, "add_host", host="nobody").status_code == 404
    assert cloud.as_admin.delete(f"{AGGREGATES}/{number}").status_code == 400
    assert act(cloud, number, "remove_host", host="b").json()["aggregate"]["hosts"] == ["a"]
    assert act(cloud, number, "remove_host", host="b").status_code == 404
    assert act(cloud, number, "remove_host", host="nobody").status_code == 404
    assert act(cloud, 999, "add_host", host="a").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"fly": {}},
        {"add_host": {}},
        {"add_host": {"host": "a b"}},
        {"add_host": None},
        {"add_host": {"host": 1}},
        {"add_host": {"host": "a"}, "remove_host": {"host": "a"}},
        {"set_metadata": {"metadata": {"a": 1}}},
        {"set_metadata": {}},
    ],
)
def test_wrong_actions_are_refused(cloud: Cloud, body: Any) -> None:
    number = make(cloud)
    assert cloud.as_admin.post(f"{AGGREGATES}/{number}/action", body).status_code == 400


# --- metadata


def test_metadata_is_merged_and_null_takes_away(cloud: Cloud) -> None:
    number = make(cloud)
    first = act(cloud, number, "set_metadata", metadata={"ssd": "true", "rack": "1"})
    assert first.json()["aggregate"]["metadata"] == {"ssd": "true", "rack": "1"}
    second = act(cloud, number, "set_metadata", metadata={"ssd": None, "row": "4"})
    assert second.json()["aggregate"]["metadata"] == {"rack": "1", "row": "4"}


def test_the_zone_is_metadata_too(cloud: Cloud) -> None:
    number = make(cloud)
    changed = act(cloud, number, "set_metadata", metadata={"availability_zone": "z1"}).json()["aggregate"]
    assert (changed["availability_zone"], changed["metadata"]) == ("z1", {"availability_zone": "z1"})
    assert act(cloud, number, "set_metadata", metadata={"availability_zone": None}).status_code == 400
    assert cloud.as_admin.put(f"{AGGREGATES}/{number}", {"aggregate": {"availability_zone": None}}).status_code == 400
    assert show(cloud, number)["availability_zone"] == "z1"


# --- zones


def test_a_host_is_in_one_zone_only(cloud: Cloud) -> None:
    make_host("a")
    first, second, third = make(cloud, "one", "z1"), make(cloud, "two", "z2"), make(cloud, "three")
    assert act(cloud, first, "add_host", host="a").status_code == 200
    refused = act(cloud, second, "add_host", host="a")
    assert refused.status_code == 409
    assert "already in availability zone(s) ['z1']" in refused.json()["conflictingRequest"]["message"]
    assert act(cloud, third, "add_host", host="a").status_code == 200
    refused = act(cloud, third, "set_metadata", metadata={"availability_zone": "z3"})
    assert refused.status_code == 400
    assert act(cloud, third, "set_metadata", metadata={"availability_zone": "z1"}).status_code == 200


def test_servers_do_not_change_their_zone_with_their_host(cloud: Cloud) -> None:
    host = make_host("a")
    server = make_server(host)
    zoned, plain = make(cloud, "zoned", "z1"), make(cloud, "plain")
    refused = act(cloud, zoned, "add_host", host="a")
    assert refused.status_code == 409
    assert "would change from 'nova' to 'z1'" in refused.json()["conflictingRequest"]["message"]
    assert act(cloud, plain, "add_host", host="a").status_code == 200
    assert act(cloud, plain, "set_metadata", metadata={"availability_zone": "z1"}).status_code == 400
    server.delete()
    assert act(cloud, zoned, "add_host", host="a").status_code == 200
    make_server(host)
    assert act(cloud, zoned, "remove_host", host="a").status_code == 409
    changed = cloud.as_admin.put(f"{AGGREGATES}/{zoned}", {"aggregate": {"availability_zone": "z9"}})
    assert changed.status_code == 400
    renamed = cloud.as_admin.put(f"{AGGREGATES}/{zoned}", {"aggregate": {"name": "new", "availability_zone": "z1"}})
    assert renamed.status_code == 200
    assert act(cloud, plain, "remove_host", host="a").status_code == 200


# --- images


def test_fetching_images_ahead_is_refused_clearly(cloud: Cloud) -> None:
    number = make(cloud)
    image = {"id": "70a599e0-31e7-49b7-b260-868f441e862b"}
    path = f"{AGGREGATES}/{number}/images"
    admin = cloud.as_admin.at("2.81")
    refused = admin.post(path, {"cache": [image]})
    assert (refused.status_code, list(refused.json())) == (501, ["notImplemented"])
    assert admin.post(path, {"cache": [image, image]}).status_code == 400
    assert admin.post(path, {"cache": []}).status_code == 400
    assert admin.post(path, {"cache": [{"id": "x"}]}).status_code == 400
    assert admin.post(f"{AGGREGATES}/999/images", {"cache": [image]}).status_code == 404
    assert cloud.as_admin.at("2.80").post(path, {"cache": [image]}).status_code == 404


def test_lists_cost_a_fixed_number_of_queries(cloud: Cloud, django_assert_num_queries: Any) -> None:
    for number in range(5):
        act(cloud, make(cloud, f"rack-{number}"), "add_host", host=make_host(f"host-{number}").name)
    with django_assert_num_queries(2):
        assert len(cloud.as_admin.get(AGGREGATES).json()["aggregates"]) == 5
