"""Two releases side by side: a host leaves alone what only the other one can read (F48)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from instances.actions.create import Create
from instances.actions.delete import Delete
from instances.actions.registry import READS
from instances.models import Instance
from operations.models import Operation
from tasks import control, examination
from tasks.conductor import presence, wire
from tests.flows.conftest import Member
from tests.support.stage import Stage

NEXT = max(READS) + 1
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server(stage: Stage, member: Member, monkeypatch: pytest.MonkeyPatch) -> Instance:
    """Placed on a host by a cloud whose create has another form since its hosts were installed."""
    monkeypatch.setattr(Create, "schema_version", NEXT)
    [server] = member.creates()
    stage.ring(Operation.objects.get())
    return server


def beat(stage: Stage) -> list[wire.Bell]:
    """What the hosts are told to take."""
    Operation.objects.update(updated_at=Now() - timedelta(seconds=examination.WAITS_S + 1))
    beats = [wire.HostBeat(host.id) for host in stage.hosts]
    return presence.beat(stage.agent.id, wire.Beat(stage.nonce, beats)).operations


def test_an_older_host_leaves_what_it_cannot_read_and_its_successor_does_it(stage: Stage, server: Instance) -> None:
    operation = Operation.objects.get()
    assert (operation.schema_version, operation.host_id) != (1, None)
    for _ in range(3):
        stage.ring(operation)
    assert beat(stage) == []
    control.end_hopeless()
    operation.refresh_from_db()
    assert (operation.state, operation.attempt, operation.fault) == ("pending", 0, ""), "left, not failed"
    assert stage.guests() == {}

    stage.reads = (*READS, NEXT)
    stage.start_agent()
    assert [bell.id for bell in beat(stage)] == [operation.id]
    stage.settle()
    server.refresh_from_db()
    assert server.status == "ACTIVE"
    stage.assert_balanced()


def test_what_it_can_read_it_does_meanwhile(stage: Stage, member: Member, server: Instance) -> None:
    server.refresh_from_db()
    Delete.request(member.actor, server)
    stage.settle()
    assert not Instance.objects.alive().exists()
    stage.assert_balanced()


def test_a_newer_host_leaves_the_form_it_has_forgotten(stage: Stage, server: Instance) -> None:
    stage.reads = (NEXT + 1, NEXT + 2)
    stage.start_agent()
    stage.ring(Operation.objects.get())
    assert Operation.objects.get().state == "pending"


def test_the_doctor_tells_of_it(stage: Stage, server: Instance) -> None:
    beat(stage)
    [found] = [one for one in examination.examine() if one.level == "wrong" and one.code.startswith("work")]
    host = Operation.objects.get().host_name
    assert (found.code, found.text) == (
        "work.unreadable", f"1 operation waits for host {host}, whose agent (test) does not read their form"
    )  # fmt: skip
    assert "restart its agent" in found.remedy

    stage.reads = (*READS, NEXT)
    stage.start_agent()
    assert [one.code for one in examination.examine() if one.code.startswith("work.")] == ["work.waiting"]
