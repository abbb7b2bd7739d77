"""The bodies of rescue and unrescue."""

from __future__ import annotations

from typing import Any

import pytest

from instances.models import Instance
from instances.states import VmState
from integrations.images.models import Image
from operations import sealed
from operations.models import Operation
from tests.api.test_servers_actions import act
from tests.support.auth import PROJECT_B
from tests.support.client import Cloud
from tests.support.servers import IMAGE, forget_everything, make_host, make_image, make_server

OTHER = "70a599e0-31e7-49b7-b260-868f441e8620"


@pytest.fixture(autouse=True)
def fresh() -> None:
    forget_everything()
    from integrations.images import facade

    facade.forget(OTHER)


@pytest.fixture
def server(db: None) -> Instance:
    make_image()
    return make_server(host=make_host())


def test_the_servers_own_image_and_a_fresh_password(cloud: Cloud, server: Instance) -> None:
    answer = act(cloud.as_member, server, "rescue")

    assert answer.status_code == 200
    operation = Operation.objects.get()
    assert sealed.unseal(operation.sealed) == {"admin_password": answer.json()["adminPass"]}
    assert operation.args == {
        "rescue_image_id": IMAGE, "bus": "virtio", "is_stable": False, "was_on": True, "was_meant_on": True,
    }  # fmt: skip


def test_an_image_and_a_password_of_ones_own(cloud: Cloud, server: Instance) -> None:
    make_image(id=OTHER, properties={"hw_rescue_device": "cdrom"})

    answer = act(cloud.as_member, server, "rescue", {"adminPass": "x", "rescue_image_ref": OTHER})

    assert answer.json() == {"adminPass": "x"}
    args = Operation.objects.get().args
    assert (args["rescue_image_id"], args["bus"], args["is_stable"]) == (OTHER, "sata", True)


@pytest.mark.parametrize(
    "image",
    [
        {"status": "queued"},
        {"owner": PROJECT_B, "visibility": "private"},
        {"properties": {"hw_rescue_bus": "usb"}},
        {"properties": {"hw_rescue_device": "floppy"}},
        None,
    ],
)
def test_an_image_that_cannot_rescue(cloud: Cloud, server: Instance, image: dict[str, Any] | None) -> None:
    if image is not None:
        make_image(id=OTHER, **image)
    answer = act(cloud.as_member, server, "rescue", {"rescue_image_ref": OTHER})
    assert answer.status_code == 400
    assert answer.json()["badRequest"]["message"].startswith("Requested rescue ")
    assert not Operation.objects.exists()


def test_a_server_without_an_image_needs_one(cloud: Cloud) -> None:
    answer = act(cloud.as_member, make_server(host=make_host(), image_id=""), "rescue")
    assert answer.status_code == 400
    assert "cannot be rescued" in answer.json()["badRequest"]["message"]


def test_the_servers_image_may_be_gone(cloud: Cloud, server: Instance) -> None:
    Image.objects.all().delete()
    assert act(cloud.as_member, server, "rescue").status_code == 400


@pytest.mark.parametrize("wish", [{"adminPass": 1}, {"rescue_image_ref": "x"}, {"image": IMAGE}, "x", []])
def test_wrong_bodies(cloud: Cloud, server: Instance, wish: Any) -> None:
    assert act(cloud.as_member, server, "rescue", wish).status_code == 400


@pytest.mark.parametrize("state", [VmState.PAUSED, VmState.SUSPENDED, VmState.BUILDING, VmState.RESCUED])
def test_not_from_every_state(cloud: Cloud, state: VmState) -> None:
    make_image()
    server = make_server(state, host=make_host())
    answer = act(cloud.as_member, server, "rescue")
    assert answer.status_code == 409
    assert answer.json()["conflictingRequest"]["message"] == (
        f"Cannot 'rescue' instance {server.id} while it is in vm_state {state.value}"
    )
