"""Rebuild: fresh disks where the server is, with its addresses; what fails leaves the server that it was."""

from __future__ import annotations

import pytest

from instances.actions.delete import Delete
from instances.actions.power import Stop
from instances.actions.rebuild import Rebuild
from instances.models import Instance
from operations.models import Operation
from tests.flows.conftest import Member
from tests.support.servers import IMAGE, make_image
from tests.support.stage import Stage
from tests.support.verbs import fail_at, fresh, guest

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server(stage: Stage, member: Member) -> Instance:
    make_image()
    [made] = member.creates()
    stage.settle()
    return fresh(made)


WISH = {"image_id": IMAGE, "image_properties": {"hw_disk_bus": "virtio"}, "name": "new", "metadata": {"a": "b"}}


def test_a_server_is_rebuilt_where_it_is(stage: Stage, member: Member, server: Instance) -> None:
    Rebuild.request(member.actor, server, columns=dict(WISH), admin_password="Secret-12345")
    shown = fresh(server)
    assert (shown.status, shown.task_state, shown.image_id, shown.name) == ("REBUILD", "rebuilding", IMAGE, "new")
    assert "Secret" not in str(Operation.objects.get(verb="rebuild").args)

    stage.settle()
    shown = fresh(server)
    assert (shown.status, shown.host_id, shown.owner_epoch) == ("ACTIVE", server.host_id, server.owner_epoch)
    assert (guest(stage, server).image, guest(stage, server).boots) == (IMAGE, 2)
    assert shown.network_info == server.network_info
    assert shown.launched_at > server.launched_at  # type: ignore[operator]
    stage.assert_balanced()


def test_a_stopped_server_stays_stopped(stage: Stage, member: Member, server: Instance) -> None:
    Stop.request(member.actor, server)
    stage.settle()
    Rebuild.request(member.actor, fresh(server), columns=dict(WISH))
    stage.settle()
    assert (fresh(server).status, fresh(server).power_on, guest(stage, server).image) == ("SHUTOFF", False, IMAGE)


@pytest.mark.parametrize("was", ["ACTIVE", "SHUTOFF"])
@pytest.mark.parametrize("step", ["fetch_images", "stop", "make_disks", "define"])
def test_a_rebuild_that_fails_leaves_what_was(
    stage: Stage, member: Member, server: Instance, monkeypatch: pytest.MonkeyPatch, was: str, step: str
) -> None:
    if was == "SHUTOFF":
        Stop.request(member.actor, server)
        stage.settle()
    before = fresh(server)
    fail_at(monkeypatch, step)
    Rebuild.request(member.actor, before, columns=dict(WISH))
    stage.settle()

    stage.reconciler.run()
    now = fresh(server)
    columns = ("status", "name", "metadata", "image_id", "image_properties", "power_on")
    assert [getattr(now, name) for name in columns] == [getattr(before, name) for name in columns]
    assert now.fault_message
    assert (guest(stage, server).image, guest(stage, server).disks) == ("", {"vda": 1024})
    assert guest(stage, server).kept == {}
    stage.assert_balanced()


def test_a_delete_meanwhile_wins(stage: Stage, member: Member, server: Instance) -> None:
    Rebuild.request(member.actor, server, columns=dict(WISH))
    Delete.request(member.actor, fresh(server))
    stage.settle()
    stage.assert_balanced()


def test_an_error_is_mended_by_a_rebuild(stage: Stage, member: Member, server: Instance) -> None:
    Rebuild.request(member.actor, server, columns=dict(WISH))
    Operation.objects.filter(verb="rebuild").update(state="running", attempt=3)
    stage.lose_leases()
    assert fresh(server).status == "ERROR"
    Rebuild.request(member.actor, fresh(server), columns=dict(WISH))
    stage.settle()
    assert (fresh(server).status, fresh(server).fault_code, fresh(server).name) == ("ACTIVE", None, "new")
