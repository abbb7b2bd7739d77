"""Lists of images: who sees what, filters, order, pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from integrations.images import store
from tests.api.test_image_life import V2, change, fill, make, replace
from tests.support import disks
from tests.support.auth import PROJECT_A, PROJECT_B
from tests.support.client import Cloud, Person


@pytest.fixture(autouse=True)
def image_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "directory", lambda: tmp_path / "images")


def names(person: Person, query: str = "") -> list[str]:
    answer = person.get(f"{V2}?{query}" if query else V2)
    assert answer.status_code == 200, answer.content
    return [image["name"] for image in answer.json()["images"]]


def refused(person: Person, query: str) -> None:
    answer = person.get(f"{V2}?{query}")
    assert answer.status_code == 400, (query, answer.content)


def test_each_filter_finds_its_images(cloud: Cloud) -> None:
    one = make(
        cloud.as_member,
        name="one",
        disk_format="raw",
        hw_x="a b",
        min_disk=3,
        **{"7": "seven", "größe": "true"},
        tags=["t1", "t2"],
        protected=True,
    )
    two = make(cloud.as_member, name="two", hw_x="c", tags=["t1"])
    make(cloud.as_member, name="th,ree", container_format="ovf")
    make(cloud.as_member, name="hidden", os_hidden=True)
    fill(cloud.as_member, one["id"], b"x" * 2000)

    found = {
        "name=one": {"one"},
        "name=in:one,two": {"one", "two"},
        "name=" + quote('in:"th,ree",one'): {"one", "th,ree"},
        f"id=in:{one['id']},{two['id']}": {"one", "two"},
        f"id={one['id']}": {"one"},
        "status=active": {"one"},
        "status=in:active,queued": {"one", "two", "th,ree"},
        "disk_format=raw": {"one"},
        "disk_format=in:raw,qcow2": {"one", "two", "th,ree"},
        "container_format=ovf": {"th,ree"},
        "size=2000": {"one"},
        "size_min=2001": set(),
        "size_min=1999&size_max=2001": {"one"},
        "min_disk=3": {"one"},
        "protected=true": {"one"},
        "protected=False": {"two", "th,ree"},
        "os_hidden=true": {"hidden"},
        "tag=t1": {"one", "two"},
        "tag=t1&tag=t2": {"one"},
        "hw_x=a%20b": {"one"},
        "hw_x=c&name=two": {"two"},
        "hw_x=d": set(),
        "7=seven": {"one"},
        f"{quote('größe')}=true": {"one"},
        "hw_y=a": set(),
        "x%27%3B--=1": set(),
        "a%22b=1": set(),
        "a__regex=1": set(),
        f"owner={PROJECT_A}": {"one", "two", "th,ree"},
        f"owner={PROJECT_B}": set(),
        f"created_at=gte:{one['created_at']}": {"one", "two", "th,ree"},
        f"created_at=lt:{one['created_at']}": set(),
        "created_at=gt:2099-01-01T00:00:00Z": set(),
        "updated_at=lte:2099-01-01T00:00:00Z": {"one", "two", "th,ree"},
        "created_at=neq:2020-01-01T00:00:00": {"one", "two", "th,ree"},
    }
    for query, expected in found.items():
        assert set(names(cloud.as_reader, query)) == expected, query


@pytest.mark.parametrize(
    "query",
    [
        "size_min=x", "size_max=-1", "size=99999999999999999999999999", "protected=maybe", "os_hidden=1",
        "visibility=none", "member_status=x", "created_at=gt:yesterday", "created_at=x", "sort_key=owner",
        "sort_dir=up", "sort=name:up",
        "sort=name&sort_key=name", "limit=-1", "limit=x", "marker=no-such-image", "name=in:%22a",
        "sort_dir=asc&sort_dir=desc", "updated_at=gt:9999-12-31T23:59:59",
    ],
)  # fmt: skip
def test_wrong_filters_are_answered_400(cloud: Cloud, query: str) -> None:
    refused(cloud.as_member, query)


def test_both_styles_of_order(cloud: Cloud) -> None:
    for name, size in (("b", 2), ("a", 2), ("c", 1)):
        image = make(cloud.as_member, name=name, disk_format="raw")
        fill(cloud.as_member, image["id"], b"x" * size)
    assert names(cloud.as_member) == ["c", "a", "b"]
    assert names(cloud.as_member, "sort=name:asc") == ["a", "b", "c"]
    assert names(cloud.as_member, "sort=size:desc,name:asc") == ["a", "b", "c"]
    assert names(cloud.as_member, "sort=size,name") == ["b", "a", "c"]
    assert names(cloud.as_member, "sort_key=name&sort_dir=asc") == ["a", "b", "c"]
    assert names(cloud.as_member, "sort_key=size&sort_key=name&sort_dir=asc&sort_dir=desc") == ["c", "b", "a"]
    assert names(cloud.as_member, "sort_key=created_at&sort_dir=asc") == ["b", "a", "c"]


def test_pages_are_linked_and_hold_each_image_once(cloud: Cloud) -> None:
    for number in range(7):
        make(cloud.as_member, name=None if number in (2, 3) else f"n{number % 3}")
    for order in ("", "&sort=name:asc", "&sort=name:desc", "&sort=size:asc,name:desc"):
        path: str | None = f"{V2}?limit=3{order}"
        seen: list[str] = []
        while path:
            page = cloud.as_member.get(path).json()
            seen += [image["id"] for image in page["images"]]
            assert (
                page["first"].startswith("/v2/images?")
                and "limit=3" in page["first"]
                and page["schema"] == "/v2/schemas/images"
            )
            path = "/image" + page["next"] if "next" in page else None
        assert len(seen) == len(set(seen)) == 7, order
    assert cloud.as_member.get(f"{V2}?limit=0").json()["images"] == []
    assert "next" not in cloud.as_member.get(f"{V2}?limit=7").json()


def test_each_project_sees_its_own_the_public_and_what_it_accepted(cloud: Cloud) -> None:
    for visibility in ("private", "shared", "community"):
        make(cloud.as_member, name=f"a-{visibility}", visibility=visibility)
        make(cloud.as_other, name=f"b-{visibility}", visibility=visibility)
    make(cloud.as_admin, name="public", visibility="public")

    assert set(names(cloud.as_member)) == {"a-private", "a-shared", "a-community", "public"}
    assert set(names(cloud.as_member, "visibility=community")) == {"a-community", "b-community"}
    assert set(names(cloud.as_member, "visibility=private")) == {"a-private"}
    assert set(names(cloud.as_member, "visibility=public")) == {"public"}
    everything = names(cloud.as_member, "visibility=all")
    assert set(everything) == {
        "a-private",
        "a-shared",
        "a-community",
        "b-community",
        "public",
    }
    assert len(names(cloud.as_admin)) == 7
    assert cloud.as_member.post(V2, {"visibility": "public"}).status_code == 403
    mine = make(cloud.as_member, visibility="private")
    assert change(cloud.as_member, mine["id"], replace("visibility", "public")).status_code == 403
    assert change(cloud.as_admin, mine["id"], replace("visibility", "public")).status_code == 200
    assert change(cloud.as_other, mine["id"], replace("name", "x")).status_code == 403


def test_an_image_is_shared_offered_and_accepted(cloud: Cloud) -> None:
    image = make(cloud.as_member, name="offered", disk_format="raw")
    fill(cloud.as_member, image["id"], b"bytes")
    members = f"{V2}/{image['id']}/members"

    offered = cloud.as_member.post(members, {"member": PROJECT_B})
    assert offered.status_code == 200 and offered.json()["status"] == "pending"
    assert cloud.as_member.post(members, {"member": PROJECT_B}).status_code == 409
    assert names(cloud.as_other) == []
    assert names(cloud.as_other, "member_status=pending&visibility=shared") == ["offered"]
    assert cloud.as_other.get(f"{V2}/{image['id']}").status_code == 200

    assert cloud.as_member.put(f"{members}/{PROJECT_B}", {"status": "accepted"}).status_code == 403
    assert cloud.as_other.put(f"{members}/{PROJECT_B}", {"status": "perhaps"}).status_code == 400
    accepted = cloud.as_other.put(f"{members}/{PROJECT_B}", {"status": "accepted"})
    assert accepted.status_code == 200 and accepted.json()["member_id"] == PROJECT_B
    assert names(cloud.as_other) == ["offered"]
    read = cloud.as_other.get(f"{V2}/{image['id']}/file")
    assert b"".join(read.streaming_content) == b"bytes"

    assert [row["status"] for row in cloud.as_member.get(members).json()["members"]] == ["accepted"]
    assert cloud.as_other.get(f"{members}/{PROJECT_B}").json()["image_id"] == image["id"]
    assert cloud.as_other.get(f"{members}/{PROJECT_A}").status_code == 404
    assert cloud.as_other.delete(f"{members}/{PROJECT_B}").status_code == 403
    assert cloud.as_other.delete(f"{V2}/{image['id']}").status_code == 403
    assert cloud.as_other.put(f"{members}/{PROJECT_B}", {"status": "rejected"}).status_code == 200
    assert names(cloud.as_other) == []
    assert cloud.as_member.delete(f"{members}/{PROJECT_B}").status_code == 204
    assert cloud.as_member.delete(f"{members}/{PROJECT_B}").status_code == 404
    assert cloud.as_other.get(f"{V2}/{image['id']}").status_code == 404

    for body in ({}, {"member": ""}, {"member": 1}, {"member": "x", "more": 1}):
        assert cloud.as_member.post(members, body).status_code == 400
    private = make(cloud.as_member, visibility="private")
    assert cloud.as_member.post(f"{V2}/{private['id']}/members", {"member": PROJECT_B}).status_code == 403


def test_a_foreign_image_does_not_exist_on_any_path(cloud: Cloud) -> None:
    image = make(cloud.as_member, visibility="private")
    fill(cloud.as_member, image["id"], disks.qcow2())
    here = f"{V2}/{image['id']}"
    walked: list[tuple[str, str, Any]] = [
        ("GET", here, None),
        ("DELETE", here, None),
        ("GET", f"{here}/file", None),
        ("POST", f"{here}/actions/deactivate", None),
        ("POST", f"{here}/actions/reactivate", None),
        ("POST", f"{here}/import", {"method": {"name": "glance-direct"}}),
        ("PUT", f"{here}/tags/x", None),
        ("DELETE", f"{here}/tags/x", None),
        ("GET", f"{here}/members", None),
        ("POST", f"{here}/members", {"member": PROJECT_B}),
        ("GET", f"{here}/members/{PROJECT_B}", None),
        ("PUT", f"{here}/members/{PROJECT_B}", {"status": "accepted"}),
        ("DELETE", f"{here}/members/{PROJECT_B}", None),
    ]
    for method, path, body in walked:
        assert cloud.as_other.request(method, path, body).status_code == 404, (method, path)
    assert change(cloud.as_other, image["id"], replace("name", "x")).status_code == 404
    assert fill(cloud.as_other, image["id"]).status_code == 404
    assert cloud.as_other.put(f"{here}/stage", data=b"x").status_code == 404
    refused(cloud.as_other, f"marker={image['id']}")


def test_a_list_asks_the_database_a_fixed_number_of_times(cloud: Cloud) -> None:
    counts = []
    for total in (2, 8):
        while len(names(cloud.as_member)) < total:
            make(cloud.as_member, tags=["a", "b"], colour="red")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            names(cloud.as_member)
        counts.append(len(queries))
    assert counts == [2, 2]
