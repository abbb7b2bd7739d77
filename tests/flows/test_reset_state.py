"""Resetting a server's state: what is under way stops, and the hypervisor says what is true."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from computecloud.conf import conf
from hosts.drivers import steps
from hosts.drivers.specs import GuestRef, PowerState
from instances.actions import reset_state
from instances.actions.create_image import CreateImage
from instances.actions.pause import Pause
from instances.actions.power import Start, Stop
from instances.actions.rescue import Rescue
from instances.actions.reset_state import NO_HOST, NOTHING_THERE, ResetState
from instances.actions.shelve import Shelve, ShelveOffload, Unshelve
from instances.models import Instance
from instances.states import VmState
from integrations.images import facade as images
from operations.models import Operation
from tasks import control
from tests.flows.conftest import Member
from tests.support import auth
from tests.support.answers import hosts_answer
from tests.support.stage import Stage
from tests.support.verbs import fresh, guest

pytestmark = pytest.mark.django_db(transaction=True)
ADMIN = auth.actor("admin")


@pytest.fixture(autouse=True)
def own_settings() -> Iterator[None]:
    yield
    conf.cache_clear()


def reset(stage: Stage, server: Instance, state: str = "active") -> Instance:
    ResetState.request(ADMIN, fresh(server), state=state)
    stage.settle()
    return fresh(server)


def believed(server: Instance, state: VmState) -> None:
    """The row says so, whatever the guest is."""
    row = fresh(server)
    Instance.objects.filter(id=row.id).update(**row.cache(None, settled=state.value), fault_message="long ago")


@pytest.mark.parametrize(
    ("power", "status", "is_meant_on"),
    [
        (PowerState.RUNNING, "ACTIVE", True),
        (PowerState.PAUSED, "PAUSED", True),
        (PowerState.SHUTDOWN, "SHUTOFF", False),
    ],
)
def test_an_error_becomes_what_the_guest_is(
    stage: Stage, server: Instance, power: PowerState, status: str, is_meant_on: bool
) -> None:
    stage.drivers[server.host_id or ""].occur(server.id, power)
    believed(server, VmState.ERROR)

    now = reset(stage, server)
    assert (now.status, now.power_state, now.power_on, now.fault_code) == (status, power, is_meant_on, None)
    stage.assert_balanced()


def test_by_hand_it_is_an_error_and_back(stage: Stage, server: Instance) -> None:
    ResetState.reset(ADMIN, server, "error")
    now = fresh(server)
    assert (now.status, now.open_operation, now.power_state) == ("ERROR", None, PowerState.RUNNING), "at once"
    assert reset(stage, server).status == "ACTIVE"
    assert guest(stage, server).boots == 1


def test_a_state_that_the_guest_does_not_contradict_stays(stage: Stage, member: Member, server: Instance) -> None:
    Rescue.request(member.actor, server)
    stage.settle()
    assert reset(stage, server).status == "RESCUE"


def test_a_guest_that_is_gone_is_an_error_that_says_so(stage: Stage, server: Instance) -> None:
    steps.run_all(stage.drivers[server.host_id or ""].destroy(GuestRef(server.id, server.owner_epoch)))
    now = reset(stage, server)
    assert (now.status, now.fault_message) == ("ERROR", NOTHING_THERE)


@pytest.mark.parametrize("verb", [Stop, Pause, Shelve])
def test_what_is_under_way_stops_and_comes_too_late(
    stage: Stage, member: Member, server: Instance, verb: type[Stop]
) -> None:
    late = verb.request(member.actor, server)
    now = reset(stage, server)
    stage.runner.run(late.id, 0)

    assert (now.status, Operation.objects.get(id=late.id).state) == ("ACTIVE", "superseded")
    assert (fresh(server).status, guest(stage, server).power) == ("ACTIVE", PowerState.RUNNING)
    assert images.query(member.actor) == []
    Stop.request(member.actor, fresh(server))
    stage.settle()
    assert fresh(server).status == "SHUTOFF", "the next verb acts under the new epoch"
    stage.assert_balanced()


def test_an_image_that_was_being_made_is_dropped(stage: Stage, member: Member, server: Instance) -> None:
    CreateImage.request(member.actor, server, name="picture", metadata={})
    reset(stage, server)
    assert images.query(member.actor) == []


def test_a_server_without_a_host_is_what_is_left_of_it(stage: Stage, member: Member, server: Instance) -> None:
    Shelve.request(member.actor, server)
    stage.settle()
    assert reset(stage, server, "error").status == "ERROR"
    assert reset(stage, server).status == "SHELVED_OFFLOADED"
    Unshelve.request(member.actor, fresh(server))
    stage.settle()
    assert fresh(server).status == "ACTIVE"

    [nowhere] = member.creates("nowhere", forced_host="nowhere")
    stage.settle()
    now = reset(stage, nowhere)
    assert (now.status, now.fault_message) == ("ERROR", NO_HOST)


def test_one_that_was_giving_its_host_up_is_only_its_image(
    stage: Stage, member: Member, server: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPUTECLOUD_SHELVED_OFFLOAD_S", "-1")
    conf.cache_clear()
    Shelve.request(member.actor, server)
    stage.settle()
    ShelveOffload.request(ADMIN, fresh(server))
    steps.run_all(stage.drivers[server.host_id or ""].destroy(GuestRef(server.id, server.owner_epoch)))

    assert reset(stage, server).status == "SHELVED_OFFLOADED"
    stage.assert_balanced()
    Unshelve.request(member.actor, fresh(server))
    stage.settle()
    assert fresh(server).status == "ACTIVE"
    stage.assert_balanced()


def test_the_answer_waits_for_what_is_true_so_that_one_may_go_on(
    stage: Stage, member: Member, server: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts_answer(stage, monkeypatch)
    believed(server, VmState.ERROR)
    ResetState.reset(ADMIN, fresh(server), "active")
    assert (fresh(server).status, fresh(server).open_operation) == ("ACTIVE", None)
    Stop.request(member.actor, fresh(server))


def test_of_a_host_that_is_silent_it_is_believed_what_was_asked_for(
    stage: Stage, server: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reset_state, "PATIENCE_S", 0.05)
    believed(server, VmState.ERROR)
    ResetState.reset(ADMIN, fresh(server), "active")
    assert fresh(server).status == "ERROR", "nobody has said anything yet"

    Operation.objects.filter(verb="resetState").update(deadline_at=Now() - timedelta(seconds=1))
    control.end_hopeless()
    assert (fresh(server).status, fresh(server).open_operation) == ("ACTIVE", None)


def test_a_host_that_is_down_cannot_be_asked_and_is_believed_when_it_returns(
    stage: Stage, member: Member, server: Instance
) -> None:
    stage.reconciler.run()
    stage.drivers[server.host_id or ""].occur(server.id, PowerState.SHUTDOWN)
    stage.silence(server.host)
    ResetState.request(ADMIN, fresh(server), state="active")
    assert (fresh(server).status, fresh(server).open_operation) == ("ACTIVE", None)

    stage.reconciler.run()
    assert fresh(server).status == "SHUTOFF"
    Start.request(member.actor, fresh(server))
    stage.settle()
    assert fresh(server).status == "ACTIVE"
