"""shelve, shelveOffload and unshelve: who may ask, and how, version by version."""

from __future__ import annotations

from typing import Any

import pytest

from hosts.models import Aggregate
from instances.models import Instance
from instances.states import VmState
from operations.models import Operation
from tests.api.test_servers_actions import act
from tests.support.client import Cloud
from tests.support.servers import forget_everything, make_host, make_image, make_server


@pytest.fixture(autouse=True)
def fresh() -> None:
    forget_everything()


@pytest.fixture
def offloaded(db: None) -> Instance:
    make_host("compute-1")
    Aggregate.objects.create(name="east", availability_zone="east").hosts.add(make_host("compute-2"))
    return make_server(VmState.SHELVED_OFFLOADED, shelved_image_id="x")


def test_a_server_is_shelved(cloud: Cloud) -> None:
    make_image()
    server = make_server(host=make_host())
    assert act(cloud.as_member, server, "shelve").status_code == 202
    image = cloud.as_member.get(f"/image/v2/images/{Operation.objects.get().args['image_id']}").json()
    assert (image["name"], image["status"]) == ("web-shelved", "queued")
    assert act(cloud.as_member, server, "shelve").status_code == 409


def test_offloading_is_for_administrators(cloud: Cloud) -> None:
    server = make_server(VmState.SHELVED, host=make_host())
    assert act(cloud.as_member, server, "shelveOffload").status_code == 403
    assert act(cloud.as_admin, server, "shelveOffload").status_code == 202


@pytest.mark.parametrize("key", ["shelve", "shelveOffload", "unshelve"])
def test_not_from_every_state(cloud: Cloud, key: str) -> None:
    server = make_server(VmState.ERROR, host=make_host())
    answer = act(cloud.as_admin, server, key)
    assert answer.status_code == 409
    assert answer.json()["conflictingRequest"]["message"] == (
        f"Cannot '{key}' instance {server.id} while it is in vm_state error"
    )


@pytest.mark.parametrize(
    ("version", "wish", "status"),
    [
        ("2.1", None, 202), ("2.76", {"anything": "goes"}, 202), ("2.77", None, 202),
        ("2.77", {"availability_zone": "east"}, 202), ("2.77", {"availability_zone": "west"}, 400),
        ("2.77", {"availability_zone": None}, 400), ("2.77", {"host": "compute-2"}, 400),
        ("2.91", {"availability_zone": None}, 202), ("2.91", {"zone": "east"}, 400), ("2.91", "east", 400),
        ("2.91", {"availability_zone": ""}, 400),
    ],
)  # fmt: skip
def test_the_words_of_each_version(cloud: Cloud, offloaded: Instance, version: str, wish: Any, status: int) -> None:
    assert act(cloud.as_member, offloaded, "unshelve", wish, version).status_code == status
    assert Operation.objects.count() == (status == 202)


def test_to_a_host_is_for_administrators_and_keeps_to_the_zone(cloud: Cloud, offloaded: Instance) -> None:
    def ask(person: Any, **wish: Any) -> int:
        return int(act(person, offloaded, "unshelve", wish, "2.91").status_code)

    assert ask(cloud.as_member, host="compute-2") == 403
    assert ask(cloud.as_admin, host="compute-9") == 400
    assert ask(cloud.as_admin, host="compute-1", availability_zone="east") == 409
    Instance.objects.update(pinned_zone="east")
    assert ask(cloud.as_admin, host="compute-1") == 409
    assert ask(cloud.as_admin, host="compute-1", availability_zone=None) == 202
    offloaded.refresh_from_db()
    assert (offloaded.pinned_zone, Operation.objects.get().args["forced_host"]) == (None, "compute-1")


def test_a_zone_is_for_the_offloaded(cloud: Cloud) -> None:
    server = make_server(VmState.SHELVED, host=make_host())
    answer = act(cloud.as_member, server, "unshelve", {"availability_zone": "nova"}, "2.77")
    assert answer.status_code == 409
    assert "must be SHELVED_OFFLOADED" in answer.json()["conflictingRequest"]["message"]
    assert act(cloud.as_member, server, "unshelve", None, "2.77").status_code == 202
