"""Whatever is sent to the Image, Placement and native APIs is answered in the service's envelope, never with a 500."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from integrations.images import store
from tests.api.test_image_life import PATCH, V2, make
from tests.support.auth import PROJECT_B
from tests.support.client import Cloud

ODD: list[Any] = [
    None, True, 0, -1, 1.5, 2**31, 2**63, 1e308, "", "x" * 70000, "\ud7ff\U0010ffff", "a\u0001b", "' OR 1=1 --", "%s%n",
    "../../etc/passwd", [], [None], ["x" * 300], {}, {"a": {"b": []}}, [[[[[]]]]],
]  # fmt: skip
TEXTS = [
    "",
    "0",
    "-1",
    "9" * 40,
    "x" * 3000,
    "ü/ö?#&=+",
    "' OR 1=1 --",
    "in:",
    'in:"',
    "in:,,",
    "gt:",
    "gte:0001-01-01T00:00:00+14:00",
    "%",
    "\\",
]
FIELDS = (
    "id", "name", "visibility", "protected", "os_hidden", "owner", "container_format", "disk_format", "min_disk",
    "min_ram", "tags", "kernel_id", "custom", "status", "locations", "checksum", "size",
)  # fmt: skip


@pytest.fixture(autouse=True)
def image_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "directory", lambda: tmp_path / "images")


def fine(answer: Any, *what: Any) -> None:
    assert answer.status_code < 500, (what, answer.content)
    if answer.status_code >= 400:
        body = answer.json()
        assert set(body) in ({"code", "title", "message"}, {"errors"}, {"error"}), (what, body)


@pytest.mark.parametrize("field", FIELDS)
def test_odd_values_in_a_new_image_and_in_a_patch(cloud: Cloud, field: str) -> None:
    image = make(cloud.as_member, custom="x")
    for value in ODD:
        fine(cloud.as_admin.post(V2, {field: value}), field, value)
        for kind in ("add", "replace", "remove"):
            body = [{"op": kind, "path": f"/{field}", "value": value}]
            fine(cloud.as_admin.patch(f"{V2}/{image['id']}", body, content_type=PATCH), field, kind, value)


def test_odd_bodies(cloud: Cloud) -> None:
    image = make(cloud.as_member)
    here = f"{V2}/{image['id']}"
    for value in ODD:
        fine(cloud.as_member.post(V2, value), value)
        fine(cloud.as_member.patch(here, value, content_type=PATCH), value)
        fine(cloud.as_member.patch(here, [value], content_type=PATCH), value)
        fine(cloud.as_member.patch(here, [{"op": value, "path": value, "value": value}], content_type=PATCH), value)
        fine(cloud.as_member.post(f"{here}/members", {"member": value}), value)
        fine(cloud.as_member.put(f"{here}/members/{PROJECT_B}", {"status": value}), value)
        fine(cloud.as_member.post(f"{here}/import", {"method": value}), value)
        fine(cloud.as_member.post(f"{here}/import", {"method": {"name": value}}), value)
    for data in (
        b"",
        b"{",
        b"\xff\xfe",
        b'{"name": "\\ud800"}',
        b'{"name": NaN}',
        b'{"min_disk": 18446744073709551616}',
        b"[" * 100000,
        b'{"a":"\\u0000"}',
    ):
        fine(cloud.as_member.post(V2, data=data, content_type="application/json"), data[:20])
        fine(cloud.as_member.patch(here, data=data, content_type=PATCH), data[:20])


def test_odd_queries(cloud: Cloud) -> None:
    make(cloud.as_member)
    known = (
        "id", "name", "status", "visibility", "member_status", "owner", "size_min", "size_max", "size", "min_disk",
        "protected", "tag", "created_at", "sort", "sort_key", "sort_dir", "limit", "marker", "disk_format", "custom",
        "ü", "x'y", 'x"y', "$.a", "a.b", "a[0]", "",
    )  # fmt: skip
    for name in known:
        for text in TEXTS:
            fine(cloud.as_member.get(f"{V2}?{quote(name)}={quote(text)}"), name, text)
    for name in ("verb", "state", "is_open", "created_after", "limit", "marker", "parent_id"):
        for text in TEXTS:
            fine(cloud.as_member.get(f"/api/v1/operations?{name}={quote(text)}"), name, text)
    for name in ("is_up", "name", "aggregate", "limit", "marker"):
        for text in TEXTS:
            fine(cloud.as_admin.get(f"/api/v1/hosts?{name}={quote(text)}"), name, text)


def test_odd_questions_to_placement(cloud: Cloud) -> None:
    version = {"OpenStack-API-Version": "placement 1.39"}
    for text in [*TEXTS, "VCPU:", ":1", "VCPU:1:1", "VCPU:99999999999999999999", "vcpu:1", "in:A", "!", "!in:"]:
        for name in (
            "resources",
            "required",
            "member_of",
            "in_tree",
            "uuid",
            "name",
            "limit",
            "group_policy",
            "resources1",
        ):
            for path in ("resource_providers?", "allocation_candidates?resources=VCPU:1&"):
                query = f"/placement/{path}{name}={quote(text)}"
                fine(cloud.as_admin.get(query, headers=version), query)
        for query in (
            f"usages?project_id={quote(text)}",
            f"traits?name={quote(text)}",
            f"allocations/{quote(text, safe='')}",
        ):
            fine(cloud.as_admin.get(f"/placement/{query}", headers=version), query)


def test_odd_places(cloud: Cloud) -> None:
    image = make(cloud.as_member)
    for text in TEXTS:
        part = quote(text, safe="")
        for path in (f"{V2}/{part}", f"{V2}/{part}/file", f"{V2}/{part}/members", f"{V2}/{image['id']}/members/{part}"):
            fine(cloud.as_member.get(path), path)
            fine(cloud.as_member.delete(path), path)
        for method in ("PUT", "DELETE"):
            fine(cloud.as_member.request(method, f"{V2}/{image['id']}/tags/{part}"), method, text)
        fine(cloud.as_member.get(f"{V2}/{image['id']}/file", headers={"Range": text}), text)
    for span in ("bytes=", "bytes=-", "bytes=5-1", "bytes=0-0,2-3", "bytes=-0", "lines=1-2"):
        fine(cloud.as_member.get(f"{V2}/{image['id']}/file", headers={"Range": span}), span)
