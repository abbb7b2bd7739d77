"""Which images a host is given: those that its servers are made of, were shelved into, or are being rescued by."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from computecloud.conf import conf
from instances.actions.rescue import Rescue
from instances.actions.shelve import Shelve, Unshelve
from integrations.images import facade as images
from integrations.images.facade import Image
from tasks.conductor import work
from tests.flows.conftest import Member
from tests.support.stage import Stage
from tests.support.verbs import fresh, guest

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stage(db: None, tmp_path: Path) -> Iterator[Stage]:
    """Hosts that really ask for the images they need."""
    yield Stage(tmp_path, fetch=True)
    conf.cache_clear()


def picture(member: Member, name: str) -> Image:
    made = images.create(member.actor, name, disk_format="raw")
    images.store_bytes(made.id, [name.encode()])
    found = images.known(made.id)
    assert found is not None
    return found


def test_what_a_server_is_made_of_and_nothing_else(stage: Stage, member: Member) -> None:
    mine, other = picture(member, "mine"), picture(member, "other")
    [server] = member.creates(image=mine)
    stage.settle()

    assert fresh(server).status == "ACTIVE"
    [owner] = [host for host in stage.hosts if host.id == fresh(server).host_id]
    [stranger] = [host for host in stage.hosts if host.id != owner.id]
    assert work.needs_image(mine.id, frozenset({owner.id}))
    assert not work.needs_image(other.id, frozenset({owner.id}))
    assert not work.needs_image(mine.id, frozenset({stranger.id}))


def test_another_image_while_a_server_is_rescued_by_it(stage: Stage, member: Member) -> None:
    tools = picture(member, "tools")
    [server] = member.creates(image=picture(member, "mine"))
    stage.settle()
    Rescue.request(member.actor, fresh(server), rescue_image_id=tools.id)
    stage.settle()

    assert (fresh(server).status, guest(stage, fresh(server)).boots_from) == ("RESCUE", "rescue")
    assert not work.needs_image(tools.id, frozenset({fresh(server).host_id or ""})), "it has it"


def test_the_image_that_a_server_was_shelved_into_wherever_it_is_made_again(stage: Stage, member: Member) -> None:
    [server] = member.creates(image=picture(member, "mine"))
    stage.settle()
    [other] = [host for host in stage.hosts if host.id != fresh(server).host_id]
    Shelve.request(member.actor, fresh(server))
    stage.settle()
    assert fresh(server).status == "SHELVED_OFFLOADED"

    Unshelve.request(member.actor, fresh(server), forced_host=other.name)
    stage.settle()
    assert (fresh(server).status, fresh(server).host_id) == ("ACTIVE", other.id), fresh(server).fault_message
    stage.assert_balanced()
