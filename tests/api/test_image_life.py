"""The life of an image over the API: made, filled, shown, changed, put aside, deleted."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from computecloud.conf import conf
from integrations.images import store, uploads
from operations.models import QuotaGate
from tests.support import disks
from tests.support.auth import PROJECT_A, PROJECT_ADMIN, PROJECT_B
from tests.support.client import Cloud, Person

V2 = "/image/v2/images"
PATCH = "application/openstack-images-v2.1-json-patch"
CONTENT = disks.qcow2()


@pytest.fixture(autouse=True)
def image_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(store, "directory", lambda: tmp_path / "images")
    return tmp_path / "images"


def make(person: Person, **wishes: Any) -> dict[str, Any]:
    body = {"name": "an image", "disk_format": "qcow2", "container_format": "bare"} | wishes
    answer = person.post(V2, body)
    assert answer.status_code == 201, answer.content
    return dict(answer.json())


def fill(person: Person, image_id: str, content: bytes = CONTENT) -> Any:
    return person.put(f"{V2}/{image_id}/file", data=content)


def change(person: Person, image_id: str, *operations: dict[str, Any], media: str = PATCH) -> Any:
    return person.patch(f"{V2}/{image_id}", list(operations), content_type=media)


def replace(name: str, value: Any) -> dict[str, Any]:
    return {"op": "replace", "path": f"/{name}", "value": value}


def used(resource: str, project: str = PROJECT_A) -> int:
    gate = QuotaGate.objects.filter(project_id=project, resource=resource).first()
    return gate.used if gate else 0


def test_an_image_is_made_filled_shown_and_read_back(cloud: Cloud, image_store: Path) -> None:
    made = make(cloud.as_member, min_disk=1, min_ram=64, tags=["linux", "small"], hw_disk_bus="virtio")
    assert made["status"] == "queued" and made["size"] is None and made["checksum"] is None
    assert made["visibility"] == "shared" and made["owner"] == PROJECT_A and made["hw_disk_bus"] == "virtio"
    assert made["self"] == f"/v2/images/{made['id']}" and made["file"] == f"/v2/images/{made['id']}/file"

    assert fill(cloud.as_member, made["id"]).status_code == 204

    shown = cloud.as_reader.get(f"{V2}/{made['id']}").json()
    assert shown["status"] == "active"
    assert shown["size"] == len(CONTENT) and shown["virtual_size"] == 16 * 1024**2
    assert shown["checksum"] == hashlib.md5(CONTENT).hexdigest()
    assert shown["os_hash_algo"] == "sha512" and shown["os_hash_value"] == hashlib.sha512(CONTENT).hexdigest()
    assert shown["tags"] == ["linux", "small"] and shown["min_disk"] == 1 and shown["min_ram"] == 64

    read = cloud.as_member.get(f"{V2}/{made['id']}/file")
    assert read.status_code == 200 and b"".join(read.streaming_content) == CONTENT
    assert read["Content-MD5"] == shown["checksum"] and read["Content-Length"] == str(len(CONTENT))
    part = cloud.as_member.get(f"{V2}/{made['id']}/file", headers={"Range": "bytes=4-9"})
    assert part.status_code == 206 and b"".join(part.streaming_content) == CONTENT[4:10]
    assert cloud.as_member.get(f"{V2}/{made['id']}/file", headers={"Range": "bytes=999999999-"}).status_code == 416

    assert [entry.name for entry in image_store.iterdir()] == [made["id"]]
    assert image_store.stat().st_mode & 0o777 == 0o700
    assert (image_store / made["id"]).stat().st_mode & 0o077 == 0


def test_quota_is_charged_for_images_and_bytes_and_given_back(cloud: Cloud, image_store: Path) -> None:
    made = make(cloud.as_member)
    assert (used("images"), used("image_bytes")) == (1, 0)
    fill(cloud.as_member, made["id"])
    assert (used("images"), used("image_bytes")) == (1, len(CONTENT))
    assert cloud.as_member.delete(f"{V2}/{made['id']}").status_code == 204
    assert (used("images"), used("image_bytes")) == (0, 0)
    assert list(image_store.iterdir()) == []
    assert cloud.as_member.get(f"{V2}/{made['id']}").status_code == 404
    assert cloud.as_member.delete(f"{V2}/{made['id']}").status_code == 404


@pytest.mark.row("S11")
def test_over_quota_is_refused_before_anything_is_written(cloud: Cloud, image_store: Path) -> None:
    QuotaGate.objects.create(project_id=PROJECT_A, resource="images", limit=2)
    QuotaGate.objects.create(project_id=PROJECT_A, resource="image_bytes", limit=len(CONTENT) + 10)
    first, second = make(cloud.as_member), make(cloud.as_member)
    refused = cloud.as_member.post(V2, {"name": "one too many"})
    assert refused.status_code == 403 and refused.json()["code"] == "403 Forbidden"
    assert fill(cloud.as_member, first["id"]).status_code == 204
    assert fill(cloud.as_member, second["id"]).status_code == 403
    assert cloud.as_member.get(f"{V2}/{second['id']}").json()["status"] == "queued"
    assert used("image_bytes") == len(CONTENT)
    assert len(list(image_store.iterdir())) == 1


@pytest.mark.row("S11")
def test_an_upload_may_not_be_larger_than_the_site_allows(
    cloud: Cloud, image_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = msgspec.structs.replace(conf(), image_max_bytes=1000)
    monkeypatch.setattr(uploads, "conf", lambda: small)
    made = make(cloud.as_member, disk_format="raw")
    assert fill(cloud.as_member, made["id"], b"x" * 1001).status_code == 413
    assert cloud.as_member.get(f"{V2}/{made['id']}").json()["status"] == "queued"
    assert not image_store.exists() and used("image_bytes") == 0
    assert fill(cloud.as_member, made["id"], b"x" * 1000).status_code == 204


@pytest.mark.parametrize(
    ("declared", "content"),
    [
        ("qcow2", disks.qcow2(backing=b"/etc/shadow")),
        ("qcow2", disks.qcow2(incompatible=4, extensions=[(0x44415441, b"/etc/shadow")])),
        ("raw", disks.qcow2()),
        ("raw", disks.vmdk_descriptor()),
        ("vmdk", disks.vmdk_descriptor()),
        ("vmdk", disks.vmdk()),
        ("qcow2", b"not a disk at all"),
        ("qcow2", disks.qcow2(virtual_size=2**50, l1_entries=2**21)),
        ("raw", bytes(2 * 1024**2 - 512) + disks.vhd(2, at_end_only=True)[-512:]),
    ],
)
def test_refused_content_kills_the_image_and_leaves_no_bytes(
    cloud: Cloud, image_store: Path, declared: str, content: bytes
) -> None:
    made = make(cloud.as_member, disk_format=declared)
    refused = fill(cloud.as_member, made["id"], content)
    assert refused.status_code == 400 and refused.json()["title"] == "Bad Request"
    assert cloud.as_member.get(f"{V2}/{made['id']}").json()["status"] == "killed"
    assert list(image_store.iterdir()) == [] and used("image_bytes") == 0
    assert fill(cloud.as_member, made["id"]).status_code == 409
    assert cloud.as_member.delete(f"{V2}/{made['id']}").status_code == 204


@pytest.mark.row("S13")
def test_the_bytes_of_an_active_image_never_change(cloud: Cloud) -> None:
    made = make(cloud.as_member)
    fill(cloud.as_member, made["id"])
    before = cloud.as_member.get(f"{V2}/{made['id']}").json()
    assert fill(cloud.as_member, made["id"], disks.qcow2(virtual_size=32 * 1024**2)).status_code == 409
    for name in ("status", "checksum", "size", "virtual_size", "os_hash_value", "id", "created_at", "self", "file"):
        assert change(cloud.as_member, made["id"], replace(name, "x")).status_code == 403, name
        assert change(cloud.as_admin, made["id"], replace(name, "x")).status_code == 403, name
    for person in (cloud.as_member, cloud.as_admin):
        assert change(person, made["id"], replace("owner", PROJECT_B)).status_code == 403
        assert change(person, made["id"], replace("disk_format", "raw")).status_code == 403
    assert cloud.as_member.get(f"{V2}/{made['id']}").json() == before


@pytest.mark.row("S08")
def test_nobody_names_a_place_or_an_id_that_is_a_path(cloud: Cloud) -> None:
    assert cloud.as_member.post(V2, {"name": "../../x", "id": "../../../p"}).status_code == 400
    assert make(cloud.as_member, name="../../x")["name"] == "../../x"
    made = make(cloud.as_member)
    place = {"url": "file:///etc/shadow", "metadata": {}}
    for person in (cloud.as_member, cloud.as_admin):
        added = change(person, made["id"], {"op": "add", "path": "/locations/-", "value": place})
        assert added.status_code == 403
        assert change(person, made["id"], replace("locations", [place])).status_code == 403
        assert person.post(V2, {"name": "x", "locations": [place]}).status_code == 403
        assert person.post(V2, {"name": "x", "direct_url": "file:///x"}).status_code == 403
    method = {"name": "web-download", "uri": "http://127.0.0.1:6379/"}
    imported = cloud.as_member.post(f"{V2}/{made['id']}/import", {"method": method})
    assert imported.status_code == 400


def test_a_chosen_id_can_be_taken_once_only_even_after_deletion(cloud: Cloud) -> None:
    wish = "0D8DAD4E-BB70-4A92-A1F4-3AAD94A7C2F1"
    assert make(cloud.as_member, id=wish)["id"] == wish.lower()
    assert cloud.as_other.post(V2, {"id": wish}).status_code == 409
    cloud.as_member.delete(f"{V2}/{wish.lower()}")
    assert cloud.as_other.post(V2, {"id": wish}).status_code == 409
    assert used("images") == 0 and used("images", PROJECT_B) == 0


@pytest.mark.parametrize(
    "body",
    [
        {"disk_format": "wrong"}, {"container_format": "wrong"}, {"visibility": "everybody"},
        {"min_disk": -1}, {"min_ram": "1"},
        {"min_disk": 2**31}, {"name": "x" * 256}, {"protected": "yes"}, {"tags": ["x" * 256]}, {"tags": "x"},
        {"custom": 1},
        {"custom": None}, {"custom": {"a": "b"}}, {"x" * 256: "y"}, {"custom": "x" * 65536},
        {"kernel_id": "k"}, {"": "y"}, [], "x", None,
    ],
)  # fmt: skip
def test_wrong_wishes_are_answered_400(cloud: Cloud, body: Any) -> None:
    answer = cloud.as_member.request("POST", V2, json=body) if body is not None else cloud.as_member.post(V2)
    assert answer.status_code == 400, answer.content
    assert set(answer.json()) == {"code", "title", "message"}


def test_too_many_properties_or_tags_are_answered_413(cloud: Cloud) -> None:
    assert cloud.as_member.post(V2, {f"p{n}": "x" for n in range(129)}).status_code == 413
    assert cloud.as_member.post(V2, {"tags": [f"t{n}" for n in range(129)]}).status_code == 413
    made = make(cloud.as_member, tags=[f"t{n}" for n in range(128)])
    assert cloud.as_member.put(f"{V2}/{made['id']}/tags/one-more").status_code == 413
    assert cloud.as_member.put(f"{V2}/{made['id']}/tags/t1").status_code == 204


def test_a_patch_changes_attributes_and_custom_properties(cloud: Cloud) -> None:
    made = make(cloud.as_member, colour="red", shape="round")
    answer = change(
        cloud.as_member,
        made["id"],
        replace("name", "renamed"),
        replace("colour", "blue"),
        {"op": "add", "path": "/weight~1net", "value": "9"},
        {"op": "remove", "path": "/shape"},
        replace("tags", ["a", "b", "a"]),
        replace("min_disk", 5),
        replace("os_hidden", True),
    )
    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["name"], shown["colour"], shown["weight/net"], shown["min_disk"]) == ("renamed", "blue", "9", 5)
    assert "shape" not in shown and shown["tags"] == ["a", "b"] and shown["os_hidden"] is True

    assert change(cloud.as_member, made["id"], replace("missing", "x")).status_code == 409
    assert change(cloud.as_member, made["id"], {"op": "remove", "path": "/missing"}).status_code == 409
    assert change(cloud.as_member, made["id"], {"op": "remove", "path": "/name"}).status_code == 403
    assert change(cloud.as_member, made["id"], replace("min_disk", "x")).status_code == 400
    assert change(cloud.as_member, made["id"], {"op": "move", "path": "/name", "from": "/x"}).status_code == 400
    assert change(cloud.as_member, made["id"], {"op": "replace", "path": "name", "value": "x"}).status_code == 400
    assert change(cloud.as_member, made["id"], {"op": "replace", "path": "/name/x", "value": "x"}).status_code == 400
    assert change(cloud.as_member, made["id"], {"op": "replace", "path": "/name"}).status_code == 400
    assert change(cloud.as_member, made["id"], replace("os_glance_x", "x")).status_code == 403
    assert change(cloud.as_member, made["id"], replace("name", "x"), media="application/json").status_code == 415
    assert cloud.as_member.patch(f"{V2}/{made['id']}", {"op": "x"}, content_type=PATCH).status_code == 400

    old = "application/openstack-images-v2.0-json-patch"
    assert change(cloud.as_member, made["id"], {"replace": "/name", "value": "old"}, media=old).json()["name"] == "old"
    assert change(cloud.as_member, made["id"], {"add": "/colour", "value": "x"}, media=old).status_code == 409


def test_a_protected_image_is_not_deleted(cloud: Cloud) -> None:
    made = make(cloud.as_member, protected=True)
    assert cloud.as_member.delete(f"{V2}/{made['id']}").status_code == 403
    change(cloud.as_member, made["id"], replace("protected", False))
    assert cloud.as_member.delete(f"{V2}/{made['id']}").status_code == 204


def test_a_deactivated_image_keeps_its_bytes_to_itself(cloud: Cloud) -> None:
    made = make(cloud.as_member)
    actions = f"{V2}/{made['id']}/actions"
    assert cloud.as_admin.post(f"{actions}/deactivate").status_code == 403
    fill(cloud.as_member, made["id"])
    assert cloud.as_other.post(f"{actions}/deactivate").status_code == 404
    assert cloud.as_reader.post(f"{actions}/deactivate").status_code == 403
    for _ in range(2):
        assert cloud.as_admin.post(f"{actions}/deactivate").status_code == 204
    assert cloud.as_member.get(f"{V2}/{made['id']}").json()["status"] == "deactivated"
    assert cloud.as_member.get(f"{V2}/{made['id']}/file").status_code == 403
    assert fill(cloud.as_member, made["id"]).status_code == 409
    assert cloud.as_admin.post(f"{actions}/reactivate").status_code == 204
    read = cloud.as_member.get(f"{V2}/{made['id']}/file")
    assert read.status_code == 200
    read.close()


def test_an_image_without_bytes_or_formats_says_so(cloud: Cloud) -> None:
    bare = cloud.as_member.post(V2, {"name": "bare"}).json()
    assert cloud.as_member.get(f"{V2}/{bare['id']}/file").status_code == 204
    assert fill(cloud.as_member, bare["id"]).status_code == 400
    assert cloud.as_member.put(f"{V2}/{bare['id']}/file", data=b"x", content_type="text/plain").status_code == 415
    assert fill(cloud.as_member, "no-such-image").status_code == 404


def test_a_body_that_does_not_say_its_length_cannot_be_trusted_to_be_whole(cloud: Cloud) -> None:
    made = make(cloud.as_member)
    chunked = {"Transfer-Encoding": "chunked"}
    assert cloud.as_member.put(f"{V2}/{made['id']}/file", data=CONTENT, headers=chunked).status_code == 411
    assert cloud.as_member.get(f"{V2}/{made['id']}").json()["status"] == "queued"


def test_the_owner_can_be_changed_by_an_admin_before_there_are_bytes(cloud: Cloud) -> None:
    made = make(cloud.as_member)
    assert change(cloud.as_member, made["id"], replace("owner", PROJECT_B)).status_code == 403
    assert change(cloud.as_admin, made["id"], replace("owner", PROJECT_B)).json()["owner"] == PROJECT_B
    assert (used("images"), used("images", PROJECT_B)) == (0, 1)
    assert cloud.as_member.post(V2, {"owner": PROJECT_B}).status_code == 403
    assert make(cloud.as_admin, owner=PROJECT_A)["owner"] == PROJECT_A
    assert used("images", PROJECT_ADMIN) == 0


def test_the_documents_that_clients_read_first(cloud: Cloud) -> None:
    for path, status in (("/image/", 300), ("/image", 300), ("/image/versions", 200), ("/image/v2/", 300)):
        answer = cloud.anonymous.get(path)
        assert answer.status_code == status
        current = answer.json()["versions"][0]
        assert current["id"] == "v2.9" and current["status"] == "CURRENT"
        assert current["links"][0]["href"].endswith("/image/v2/")
    for name in ("image", "images", "member", "members"):
        assert cloud.as_reader.get(f"/image/v2/schemas/{name}").json()["name"] == name
    assert cloud.as_reader.get("/image/v2/schemas/other").status_code == 404
    assert cloud.as_reader.get("/image/v2/info/import").json()["import-methods"]["value"] == []
    assert cloud.as_reader.get("/image/v2/info/stores").json()["stores"][0]["id"] == "local"


def test_an_image_without_an_id_is_not_the_list(cloud: Cloud) -> None:
    assert cloud.as_member.get(f"{V2}/").status_code == 404
    assert cloud.as_member.delete(f"{V2}/").status_code == 404


def test_without_a_token_nothing_is_shown(cloud: Cloud) -> None:
    assert cloud.anonymous.get(V2).status_code == 401
    assert cloud.with_bad_token.get(V2).status_code == 401
    assert cloud.as_reader.post(V2, {"name": "x"}).status_code == 403
