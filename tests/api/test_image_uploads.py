"""Uploads that go wrong half-way, and what the rest of the cloud sees through the facade."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from computecloud.conf import conf
from computecloud.core.clock import utcnow
from computecloud.core.errors import Conflict, NotFound
from integrations.images import facade, reclaim, store
from integrations.images.errors import BytesMissing, ContentRejected, UploadAbandoned, UploadInterrupted
from integrations.images.models import Image
from integrations.images.uploads import Upload
from operations.models import QuotaGate
from tests.api.test_image_life import V2, fill, make, used
from tests.support import disks
from tests.support.auth import PROJECT_A, PROJECT_B, actor
from tests.support.client import Cloud, Person


@pytest.fixture(autouse=True)
def image_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(store, "directory", lambda: tmp_path / "images")
    facade._images.clear()
    facade._offers.clear()
    return tmp_path / "images"


def upload(image_id: str, chunks: Iterator[bytes], expected: int | None = None) -> None:
    Upload(image_id, PROJECT_A, "raw", expected).receive(chunks)


def left_over(image_store: Path) -> list[str]:
    return sorted(entry.name for entry in image_store.iterdir()) if image_store.exists() else []


def lose_lease(image_id: str) -> None:
    Image.objects.filter(pk=image_id).update(lease_until=utcnow() - timedelta(seconds=1))


def test_a_broken_connection_leaves_the_image_queued_and_nothing_on_the_disk(cloud: Cloud, image_store: Path) -> None:
    image = make(cloud.as_member, disk_format="raw")

    def broken() -> Iterator[bytes]:
        yield b"x" * 1000
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        upload(image["id"], broken(), 2000)
    with pytest.raises(UploadInterrupted):
        upload(image["id"], iter([b"x" * 1000]), 2000)
    shown = cloud.as_member.get(f"{V2}/{image['id']}").json()
    assert shown["status"] == "queued" and shown["checksum"] is None
    assert left_over(image_store) == [] and used("image_bytes") == 0
    upload(image["id"], iter([b"x" * 2000]), 2000)
    assert cloud.as_member.get(f"{V2}/{image['id']}").json()["status"] == "active"


@pytest.mark.row("S11")
def test_deleting_while_uploading_ends_the_upload_and_returns_bytes_and_quota(
    cloud: Cloud, image_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integrations.images.uploads.LOOK_EVERY_S", 0.0)
    image = make(cloud.as_member, disk_format="raw")
    during: list[int] = []

    def slow() -> Iterator[bytes]:
        for number in range(5):
            if number == 2:
                during.append(used("image_bytes"))
                assert cloud.as_member.get(f"{V2}/{image['id']}").json()["status"] == "saving"
                assert fill(cloud.as_member, image["id"]).status_code == 409
                assert cloud.as_member.delete(f"{V2}/{image['id']}").status_code == 204
                assert left_over(image_store) == []
            yield b"x" * 1000

    with pytest.raises(UploadAbandoned):
        upload(image["id"], slow())
    assert during[0] > 0 and used("image_bytes") == 0 and used("images") == 0
    assert left_over(image_store) == []


@pytest.mark.row("S11")
def test_deleting_after_the_last_byte_but_before_active_leaves_nothing(
    cloud: Cloud, image_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = make(cloud.as_member, disk_format="raw")
    publish = store.publish

    def deleted_just_then(image_id: str, upload_id: str, part: int) -> None:
        publish(image_id, upload_id, part)
        assert cloud.as_member.delete(f"{V2}/{image['id']}").status_code == 204

    monkeypatch.setattr(store, "publish", deleted_just_then)
    with pytest.raises(UploadAbandoned):
        upload(image["id"], iter([b"x"]))
    assert left_over(image_store) == [] and used("image_bytes") == 0


def test_a_dead_upload_is_settled_by_the_sweep(cloud: Cloud, image_store: Path) -> None:
    image = make(cloud.as_member, disk_format="raw")
    dead = Upload(image["id"], PROJECT_A, "raw", 5000)
    dead._begin()
    part = store.create_part(image["id"], dead.upload_id)
    os.write(part, b"x" * 3000)
    os.close(part)
    assert reclaim.sweep() == 0 and used("image_bytes") == 5000

    lose_lease(image["id"])
    assert reclaim.sweep() == 1
    assert cloud.as_member.get(f"{V2}/{image['id']}").json()["status"] == "queued"
    assert left_over(image_store) == [] and used("image_bytes") == 0
    assert reclaim.sweep() == 0


def test_a_dead_upload_of_a_deleted_image_gives_its_quota_back(cloud: Cloud, image_store: Path) -> None:
    image = make(cloud.as_member, disk_format="raw")
    Upload(image["id"], PROJECT_A, "raw", 5000)._begin()
    cloud.as_member.delete(f"{V2}/{image['id']}")
    assert used("image_bytes") == 5000
    lose_lease(image["id"])
    assert reclaim.sweep() == 1
    assert used("image_bytes") == 0


def test_an_upload_that_woke_up_late_cannot_replace_the_bytes_of_its_successor(cloud: Cloud, image_store: Path) -> None:
    image = make(cloud.as_member, disk_format="raw")

    def overtaken() -> Iterator[bytes]:
        yield b"old " * 1000
        lose_lease(image["id"])
        upload(image["id"], iter([b"new " * 10]))

    with pytest.raises(UploadAbandoned):
        upload(image["id"], overtaken())
    shown = cloud.as_member.get(f"{V2}/{image['id']}").json()
    assert shown["status"] == "active" and shown["size"] == 40
    assert (image_store / image["id"]).read_bytes() == b"new " * 10
    assert left_over(image_store) == [image["id"]] and used("image_bytes") == 40


def test_stray_files_go_after_an_hour_and_nothing_else_does(cloud: Cloud, image_store: Path) -> None:
    kept = make(cloud.as_member, disk_format="raw")
    upload(kept["id"], iter([b"kept"]))
    queued = make(cloud.as_member, disk_format="raw")
    stray = "00000000-0000-4000-8000-000000000001"
    for name in (stray, f"{stray}.{stray}.part", queued["id"], "README"):
        (image_store / name).write_bytes(b"x")
    assert reclaim.remove_strays() == 0
    for entry in image_store.iterdir():
        os.utime(entry, (1, 1))
    assert reclaim.remove_strays() == 3
    assert left_over(image_store) == sorted([kept["id"], "README"])


@pytest.mark.row("S08")
def test_links_in_the_store_are_not_followed(cloud: Cloud, image_store: Path, tmp_path: Path) -> None:
    image = make(cloud.as_member, disk_format="raw")
    upload(image["id"], iter([b"secret"]))
    (tmp_path / "canary").write_bytes(b"canary")
    (image_store / image["id"]).unlink()
    (image_store / image["id"]).symlink_to(tmp_path / "canary")
    with pytest.raises(BytesMissing):
        store.open_blob(image["id"])
    assert cloud.as_member.get(f"{V2}/{image['id']}/file").status_code == 503
    with pytest.raises(BytesMissing):
        store.open_blob("../canary")


def test_bytes_without_a_length_are_charged_as_they_come(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integrations.images.uploads.CHARGE_STEP", 1000)
    QuotaGate.objects.create(project_id=PROJECT_A, resource="image_bytes", limit=3500)
    image = make(cloud.as_member, disk_format="raw")
    with pytest.raises(Exception, match="Quota exceeded"):
        upload(image["id"], (b"x" * 500 for _ in range(100)))
    assert used("image_bytes") == 0
    upload(image["id"], (b"x" * 500 for _ in range(4)))
    assert used("image_bytes") == 2000


def test_the_facade_shows_what_an_actor_may_see_and_asks_the_database_once(cloud: Cloud) -> None:
    image = make(cloud.as_member, visibility="private", hw_x="y")
    fill(cloud.as_member, image["id"])
    with CaptureQueriesContext(connection) as queries:
        for _ in range(3):
            seen = facade.get(actor("reader-a"), image["id"])
    assert len(queries) == 1
    assert seen.is_active and seen.virtual_size == 16 * 1024**2 and seen.properties == {"hw_x": "y"}
    for stranger in ("member-b", "reader-b"):
        with pytest.raises(NotFound):
            facade.get(actor(stranger), image["id"])
    with pytest.raises(NotFound):
        facade.get(actor("admin"), "no-such-image")
    assert set(facade.get_many([image["id"], "no-such-image"])) == {image["id"]}

    offered = make(cloud.as_member, disk_format="raw")
    cloud.as_member.post(f"{V2}/{offered['id']}/members", {"member": PROJECT_B})
    assert facade.get(actor("member-b"), offered["id"]).status == "queued"
    cloud.as_member.delete(f"{V2}/{image['id']}")
    with pytest.raises(NotFound):
        facade.get(actor("reader-a"), image["id"])


def test_the_facade_gives_bytes_from_any_offset_to_the_conductor(cloud: Cloud) -> None:
    image = make(cloud.as_member)
    with pytest.raises(NotFound):
        facade.open_blob(image["id"])
    fill(cloud.as_member, image["id"])
    blob, size = facade.open_blob(image["id"], 4)
    with blob:
        assert size == len(disks.qcow2()) and blob.read(4) == disks.qcow2()[4:8]


def test_a_snapshot_is_a_queued_image_until_its_bytes_are_judged(cloud: Cloud) -> None:
    person = actor("member-a")
    snapshot = facade.create(person, "snap", disk_format="qcow2", properties={"image_type": "snapshot"})
    assert cloud.as_member.get(f"{V2}/{snapshot.id}").json()["status"] == "queued"
    stored = facade.store_bytes(snapshot.id, iter([disks.qcow2()]), len(disks.qcow2()))
    assert stored.is_active and stored.sha512
    with pytest.raises(Conflict):
        facade.store_bytes(snapshot.id, iter([b"x"]))
    facade.discard(snapshot.id)
    assert facade.get(person, snapshot.id).is_active

    failed = facade.create(person, "failed", disk_format="qcow2")
    with pytest.raises(ContentRejected):
        facade.store_bytes(failed.id, iter([disks.qcow2(backing=b"/x")]))
    facade.discard(failed.id)
    facade.discard(failed.id)
    with pytest.raises(NotFound):
        facade.get(person, failed.id)
    changed = facade.change_properties(person, snapshot.id, {"a": "b"})
    assert changed.properties == {"a": "b"}
    assert [image.name for image in facade.query(person)] == ["snap"]
    facade.delete(person, snapshot.id)
    assert facade.query(person) == []


def test_quotas_count_beyond_32_bits_on_every_database(cloud: Cloud) -> None:
    QuotaGate.add(PROJECT_A, {"image_bytes": 5 * 2**30})
    QuotaGate.add(PROJECT_A, {"image_bytes": 6 * 2**30})
    assert used("image_bytes") == 11 * 2**30
    QuotaGate.give_back(PROJECT_A, {"image_bytes": 5 * 2**30})
    assert used("image_bytes") == 6 * 2**30
    QuotaGate.objects.filter(project_id=PROJECT_A).update(limit=-1)
    QuotaGate.add(PROJECT_A, {"image_bytes": 2**50})
    assert used("image_bytes") == 2**50 + 6 * 2**30


def test_the_front_learns_before_it_takes_a_body_whether_it_is_wanted(cloud: Cloud) -> None:
    image = make(cloud.as_member, disk_format="raw")

    def ask(person: Person, image_id: str = image["id"], length: str = "10", method: str = "PUT", **more: str) -> Any:
        named = {"X-Image-Method": method, "X-Image-Path": f"{V2}/{image_id}/file", "X-Body-Length": length}
        return person.get("/image/v2/upload-check", headers={"Content-Type": "application/octet-stream"} | named | more)

    assert ask(cloud.as_member).status_code == 204
    assert ask(cloud.as_member, length="").status_code == 204
    assert ask(cloud.anonymous, method="GET").status_code == 204
    refused = {
        "401": ask(cloud.anonymous),
        "403": ask(cloud.as_reader),
        "404": ask(cloud.as_other, "größe"),
        "413": ask(cloud.as_member, length=str(2**50)),
        "415": ask(cloud.as_member, **{"Content-Type": "text/plain"}),
    }
    for status, answer in refused.items():
        assert answer.status_code == 403 and answer["X-Refusal-Status"] == status
        assert orjson.loads(answer["X-Refusal"])["code"].startswith(status)
    fill(cloud.as_member, image["id"], b"bytes")
    assert ask(cloud.as_member)["X-Refusal-Status"] == "409"


def test_the_front_sends_the_bytes_where_it_can(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    image = make(cloud.as_member, disk_format="raw")
    fill(cloud.as_member, image["id"], b"bytes")
    fronted = msgspec.structs.replace(conf(), image_bytes_by_front=True)
    monkeypatch.setattr("integrations.images.api.data.conf", lambda: fronted)
    answer = cloud.as_member.get(f"{V2}/{image['id']}/file")
    assert answer["X-Accel-Redirect"] == f"/.image-bytes/{image['id']}" and answer.content == b""
    assert answer["Content-MD5"] == hashlib.md5(b"bytes").hexdigest()
    assert "X-Accel-Redirect" not in cloud.as_other.get(f"{V2}/{image['id']}/file")
