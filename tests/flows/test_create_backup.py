"""Backups: the last few of a kind are kept, the oldest goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from hosts.drivers.errors import Fatal
from instances.actions.create_backup import CreateBackup
from instances.actions.create_image import CreateImage
from instances.models import Instance
from integrations.images import facade as images
from tests.flows.conftest import Member
from tests.support import auth
from tests.support.stage import Stage
from tests.support.verbs import fresh

pytestmark = pytest.mark.django_db(transaction=True)


def back_up(stage: Stage, member: Member, server: Instance, name: str, kind: str = "daily", rotation: int = 2) -> None:
    CreateBackup.of_kind(member.actor, fresh(server), name, {}, kind, rotation)
    stage.settle()


def pictures(member: Member) -> list[str]:
    return sorted(image.name for image in images.query(member.actor))


def test_the_oldest_of_its_kind_goes(stage: Stage, member: Member, server: Instance) -> None:
    other, _ = member.creates(name="other"), stage.settle()
    back_up(stage, member, other[0], "of-another-server")
    CreateImage.of(member.actor, fresh(server), "picture", {})
    stage.settle()
    back_up(stage, member, server, "weekly", kind="weekly")
    for name in ("mon", "tue", "wed"):
        back_up(stage, member, server, name)

    assert pictures(member) == ["of-another-server", "picture", "tue", "wed", "weekly"]
    assert fresh(server).status == "ACTIVE"
    stage.assert_balanced()


def test_the_answer_shows_it_and_a_rotation_of_nothing_keeps_nothing(
    stage: Stage, member: Member, server: Instance
) -> None:
    CreateBackup.of_kind(member.actor, server, "mon", {}, "daily", 1)
    assert (fresh(server).status, fresh(server).task_state) == ("ACTIVE", "image_backup")
    stage.settle()
    assert pictures(member) == ["mon"]
    back_up(stage, member, server, "tue", rotation=0)
    assert pictures(member) == []


def test_an_administrators_backup_is_the_projects(stage: Stage, member: Member, server: Instance) -> None:
    back_up(stage, member, server, "mon", rotation=1)
    CreateBackup.of_kind(auth.actor("admin"), fresh(server), "tue", {}, "daily", 1)
    stage.settle()
    assert pictures(member) == ["tue"]


def test_one_that_fails_takes_no_older_one_along(
    stage: Stage, member: Member, server: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_image_id: str, _operation_id: str, _source: Path) -> None:
        raise Fatal("too large")

    back_up(stage, member, server, "mon", rotation=1)
    monkeypatch.setattr(stage.conductor, "store", refuse)
    back_up(stage, member, server, "tue", rotation=1)
    assert pictures(member) == ["mon"]
    stage.assert_balanced()


def test_another_project_cannot_have_its_images_rotated_away(stage: Stage, member: Member, server: Instance) -> None:
    stranger = auth.actor("member-b")
    forged = {"image_type": "backup", "backup_type": "daily", "instance_uuid": server.id}
    foreign = images.create(stranger, "theirs", disk_format="raw", properties=forged)
    images.store_bytes(foreign.id, [b"\0" * 1024])
    back_up(stage, member, server, "mon", rotation=0)
    assert images.get(stranger, foreign.id).is_active
