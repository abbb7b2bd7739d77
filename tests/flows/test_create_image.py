"""An image of a server: there before the answer, active when its bytes are, gone when they never come."""

from __future__ import annotations

from pathlib import Path

import pytest

from computecloud.core.errors import Conflict
from hosts.drivers.errors import Fatal
from instances.actions.create_image import CreateImage
from instances.actions.delete import Delete
from instances.actions.power import Stop
from instances.models import Instance
from integrations.images import facade as images
from operations.models import Operation, QuotaGate
from tests.flows.conftest import Member
from tests.support.stage import Stage

pytestmark = pytest.mark.django_db(transaction=True)


def used(resource: str) -> int:
    return QuotaGate.objects.filter(resource=resource).values_list("used", flat=True).first() or 0


def test_a_running_server_becomes_an_image(stage: Stage, member: Member, server: Instance) -> None:
    image_id = CreateImage.of(member.actor, server, "picture", {"colour": "blue"})

    queued = images.get(member.actor, image_id)
    assert (queued.name, queued.status, queued.min_disk_gb) == ("picture", "queued", 1)
    assert queued.properties["instance_uuid"] == server.id
    assert (queued.properties["image_type"], queued.properties["colour"]) == ("snapshot", "blue")
    server.refresh_from_db()
    assert (server.status, server.task_state) == ("ACTIVE", "image_snapshot")

    stage.settle()
    image = images.get(member.actor, image_id)
    assert (image.status, image.disk_format, image.virtual_size) == ("active", "qcow2", 2**30)
    server.refresh_from_db()
    assert (server.status, server.task_state) == ("ACTIVE", None)
    stage.assert_balanced()


def test_a_stopped_server_too_and_nothing_else_meanwhile(stage: Stage, member: Member, server: Instance) -> None:
    Stop.request(member.actor, server)
    stage.settle()
    server.refresh_from_db()
    CreateImage.of(member.actor, server, "picture", {})
    server.refresh_from_db()

    with pytest.raises(Conflict):
        Stop.request(member.actor, server)
    with pytest.raises(Conflict):
        CreateImage.of(member.actor, server, "another", {})
    assert [image.name for image in images.query(member.actor)] == ["picture"]

    stage.settle()
    server.refresh_from_db()
    assert server.status == "SHUTOFF"


def test_a_host_that_cannot_leaves_no_image(
    stage: Stage, member: Member, server: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_image_id: str, _operation_id: str, _source: Path) -> None:
        raise Fatal("image was refused: too large")

    monkeypatch.setattr(stage.conductor, "store", refuse)
    CreateImage.of(member.actor, server, "picture", {})
    stage.settle()

    server.refresh_from_db()
    assert (server.status, server.task_state) == ("ACTIVE", None)
    assert Operation.objects.get(verb="createImage").fault == "image was refused: too large"
    assert images.query(member.actor) == []
    assert (used("images"), used("image_bytes")) == (0, 0)
    stage.assert_balanced()


@pytest.mark.row("F40")
def test_a_delete_meanwhile_wins(stage: Stage, member: Member, server: Instance) -> None:
    CreateImage.of(member.actor, server, "picture", {})
    Delete.request(member.actor, server)
    stage.settle()

    assert images.query(member.actor) == []
    assert (used("images"), used("image_bytes")) == (0, 0)
    stage.assert_balanced()


def test_only_the_operation_that_makes_it_may_bring_its_bytes(stage: Stage, member: Member, server: Instance) -> None:
    image_id = CreateImage.of(member.actor, server, "picture", {})
    from tasks.conductor import work

    waiting = Operation.objects.get(verb="createImage")
    hosts = frozenset({server.host_id or ""})
    assert not work.makes_image(waiting.id, image_id, hosts), "nobody has taken it yet"
    Operation.objects.filter(id=waiting.id).update(state="running")
    assert work.makes_image(waiting.id, image_id, hosts)
    assert not work.makes_image(waiting.id, image_id, frozenset({"another"}))
    assert not work.makes_image(waiting.id, "another", hosts)
    assert not work.makes_image("", image_id, hosts)
