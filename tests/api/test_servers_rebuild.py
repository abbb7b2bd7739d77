"""The body of rebuild, version by version."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from hosts.models import Host
from instances.models import Instance
from instances.states import VmState
from integrations.images import facade as images
from operations import sealed
from operations.models import Operation
from scheduling import service
from tests.api.test_servers_actions import PATH, act
from tests.support.auth import PROJECT_B
from tests.support.client import Cloud
from tests.support.servers import IMAGE, forget_everything, make_host, make_image, make_key, make_server

OTHER = "70a599e0-31e7-49b7-b260-868f441e8621"
DATA = base64.b64encode(b"#!/bin/sh").decode()


@pytest.fixture(autouse=True)
def fresh() -> None:
    forget_everything()
    images.forget(OTHER)
    service.forget()


@pytest.fixture
def server(db: None) -> Instance:
    make_image()
    return make_server(host=make_host(), image_properties={"hw_disk_bus": "virtio"})


def test_only_an_image(cloud: Cloud, server: Instance) -> None:
    make_image(id=OTHER, properties={"hw_disk_bus": "virtio", "colour": "red"})

    answer = act(cloud.as_member, server, "rebuild", {"imageRef": OTHER})

    assert answer.status_code == 202, answer.content
    shown = answer.json()["server"]
    assert (shown["status"], shown["image"]["id"], shown["name"]) == ("REBUILD", OTHER, "web")
    assert answer.headers["Location"].endswith(f"/servers/{server.id}")
    assert sealed.unseal(Operation.objects.get().sealed) == {"admin_password": shown["adminPass"]}
    assert cloud.as_member.get(f"{PATH}/{server.id}").json()["server"]["OS-EXT-STS:task_state"] == "rebuilding"
    server.refresh_from_db()
    assert server.image_properties["colour"] == "red"
    assert act(cloud.as_member, server, "rebuild", {"imageRef": OTHER}).status_code == 409


def test_everything_that_may_change(cloud: Cloud, server: Instance) -> None:
    make_key(name="other")
    wish = {
        "imageRef": IMAGE, "name": "new", "adminPass": "secret", "metadata": {"a": "b"}, "preserve_ephemeral": True,
        "OS-DCF:diskConfig": "AUTO", "accessIPv4": "192.0.2.1", "accessIPv6": "2001:DB8::1", "description": "d",
        "key_name": "other", "user_data": DATA, "hostname": "new-host", "trusted_image_certificates": ["one"],
    }  # fmt: skip

    answer = act(cloud.as_member, server, "rebuild", wish, "2.94")

    assert answer.status_code == 202, answer.content
    told = answer.json()["server"]
    assert (told["adminPass"], told["key_name"], told["user_data"]) == ("secret", "other", DATA)
    now = Instance.objects.get()
    assert (now.name, now.metadata, now.disk_config, now.hostname) == ("new", {"a": "b"}, "AUTO", "new-host")
    assert (now.access_ip_v4, now.access_ip_v6, now.description) == ("192.0.2.1", "2001:db8::1", "d")
    assert (now.key_name, now.public_key, now.user_data) == ("other", "ssh-rsa AAAA", DATA)
    assert now.trusted_image_certificates == ["one"]
    assert Operation.objects.get().args["preserve_ephemeral"] is True


@pytest.mark.parametrize(
    ("version", "told"), [("2.53", set()), ("2.54", {"key_name"}), ("2.57", {"key_name", "user_data"})]
)
def test_the_answer_tells_key_and_user_data_since_their_versions(
    cloud: Cloud, server: Instance, version: str, told: set[str]
) -> None:
    shown = act(cloud.as_member, server, "rebuild", {"imageRef": IMAGE}, version).json()["server"]
    assert {name for name in ("key_name", "user_data") if name in shown} == told


def test_what_is_not_named_stays_and_null_takes_away(cloud: Cloud, server: Instance) -> None:
    kept = {"key_name": "k", "public_key": "p", "user_data": DATA, "metadata": {"x": "y"}}
    Instance.objects.update(**kept, trusted_image_certificates=["one"])

    act(cloud.as_member, server, "rebuild", {"imageRef": IMAGE}, "2.94")
    now = Instance.objects.get()
    assert {name: getattr(now, name) for name in kept} == kept
    assert now.trusted_image_certificates == ["one"]

    Instance.objects.update(open_operation=None, task_state=None)
    Operation.objects.all().delete()
    gone = dict.fromkeys(("key_name", "user_data", "trusted_image_certificates", "description"))
    assert act(cloud.as_member, server, "rebuild", {"imageRef": IMAGE, **gone}, "2.94").status_code == 202
    now = Instance.objects.get()
    assert (now.key_name, now.public_key, now.user_data, now.trusted_image_certificates, now.description) == (
        None, "", None, None, None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("since", "field", "value"),
    [
        ("2.19", "description", "d"),
        ("2.54", "key_name", None),
        ("2.57", "user_data", DATA),
        ("2.63", "trusted_image_certificates", ["one"]),
        ("2.90", "hostname", "new-host"),
        ("2.94", "hostname", "new.example.org"),
    ],
)
def test_fields_have_their_versions(cloud: Cloud, server: Instance, since: str, field: str, value: Any) -> None:
    before = f"2.{int(since[2:]) - 1}"
    wish = {"imageRef": IMAGE, field: value}
    assert act(cloud.as_member, server, "rebuild", wish, before).status_code == 400
    assert act(cloud.as_member, server, "rebuild", wish, since).status_code == 202


def test_files_are_refused_in_words_then_by_the_schema(cloud: Cloud, server: Instance) -> None:
    wish = {"imageRef": IMAGE, "personality": [{"path": "/a", "contents": "YQ=="}]}
    for version in ("2.1", "2.57"):
        assert act(cloud.as_member, server, "rebuild", wish, version).status_code == 400


@pytest.mark.parametrize(
    "wish",
    [
        None, {}, "x", {"imageRef": "x"}, {"imageRef": OTHER}, {"imageRef": IMAGE, "name": ""},
        {"imageRef": IMAGE, "metadata": {"": "b"}}, {"imageRef": IMAGE, "accessIPv4": "x"},
        {"imageRef": IMAGE, "key_name": "nobody"}, {"imageRef": IMAGE, "user_data": "?"},
        {"imageRef": IMAGE, "flavorRef": "1"}, {"imageRef": IMAGE, "preserve_ephemeral": "perhaps"},
        {"imageRef": IMAGE, "hostname": "a b"},
    ],
)  # fmt: skip
def test_wrong_wishes(cloud: Cloud, server: Instance, wish: Any) -> None:
    assert act(cloud.as_member, server, "rebuild", wish, "2.94").status_code == 400
    assert not Operation.objects.exists()


@pytest.mark.parametrize(
    "image",
    [
        {"status": "queued"}, {"owner": PROJECT_B, "visibility": "private"}, {"min_disk_gb": 2}, {"min_ram_mb": 1024},
        {"virtual_size_bytes": 2 * 2**30}, {"properties": {"trait:CUSTOM_RARE": "required"}},
        {"properties": {"hw_architecture": "s390x"}}, {"properties": {"hw_numa_nodes": "1"}},
    ],
)  # fmt: skip
def test_an_image_that_does_not_fit(cloud: Cloud, server: Instance, image: dict[str, Any]) -> None:
    Host.objects.update(lease_expires_at="2099-01-01T00:00Z", supported=[["x86_64", "fake", "hvm"]])
    make_image(id=OTHER, **image)

    answer = act(cloud.as_member, server, "rebuild", {"imageRef": OTHER})

    assert answer.status_code == 400, answer.content
    assert not Operation.objects.exists()


def test_too_much_metadata_is_over_quota(cloud: Cloud, server: Instance) -> None:
    wish = {"imageRef": IMAGE, "metadata": {f"k{number}": "v" for number in range(129)}}
    assert act(cloud.as_member, server, "rebuild", wish).status_code == 403


@pytest.mark.parametrize("state", [VmState.PAUSED, VmState.SUSPENDED, VmState.RESCUED, VmState.BUILDING])
def test_not_from_every_state(cloud: Cloud, state: VmState) -> None:
    make_image()
    server = make_server(state, host=make_host(), image_properties={"hw_disk_bus": "virtio"})
    answer = act(cloud.as_member, server, "rebuild", {"imageRef": IMAGE})
    assert answer.status_code == 409
    assert "Cannot 'rebuild' instance" in answer.json()["conflictingRequest"]["message"]
    server.refresh_from_db()
    assert server.name == "web"
