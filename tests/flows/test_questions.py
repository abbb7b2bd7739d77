"""What is asked of a host and answered at once, and the interrupt that is sent to a guest."""

from __future__ import annotations

import pytest

from computecloud.core.errors import Conflict, Forbidden, Unavailable
from instances.actions import question
from instances.actions.console import ConsoleOutput
from instances.actions.crash_dump import CrashDump
from instances.actions.diagnostics import Diagnostics
from instances.actions.pause import Pause
from instances.actions.power import Stop
from instances.models import Instance
from operations.models import Operation
from tests.flows.conftest import Member
from tests.support import auth
from tests.support.answers import hosts_answer
from tests.support.stage import Stage
from tests.support.verbs import fresh, guest

pytestmark = pytest.mark.django_db(transaction=True)
ADMIN = auth.actor("admin")


@pytest.fixture
def answered(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts_answer(stage, monkeypatch)


@pytest.mark.usefixtures("answered")
def test_a_host_tells_the_counters_of_its_guest(stage: Stage, server: Instance) -> None:
    told = Diagnostics.ask(ADMIN, server)
    assert (told["hypervisor"], told["memory_mb"], len(told["cpu_times_ns"])) == ("fake", 512, 1)
    assert [disk["device"] for disk in told["disks"]] == ["vda"]
    assert not Operation.objects.filter(verb="diagnostics").exists(), "a question leaves nothing behind"


@pytest.mark.usefixtures("answered")
@pytest.mark.parametrize(("way", "power"), [(Pause, "paused"), (Stop, "shutdown")])
def test_a_guest_that_does_not_run_has_no_counters(
    stage: Stage, member: Member, server: Instance, way: type[Stop], power: str
) -> None:
    way.request(member.actor, server)
    stage.settle()
    with pytest.raises(Conflict) as refused:
        Diagnostics.ask(ADMIN, fresh(server))
    assert str(refused.value) == f"Cannot 'get_diagnostics' instance {server.id} while it is in power state {power}"


def test_counters_are_for_administrators_and_of_servers_that_have_a_host(member: Member, server: Instance) -> None:
    with pytest.raises(Forbidden):
        Diagnostics.ask(member.actor, server)
    [made] = member.creates("waiting")
    with pytest.raises(Conflict, match="is not ready"):
        Diagnostics.ask(ADMIN, fresh(made))


@pytest.mark.usefixtures("stage")
def test_a_host_that_is_silent_is_not_waited_for_without_end(
    server: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(question, "PATIENCE_S", 0.05)
    with pytest.raises(Unavailable, match="did not answer in time"):
        ConsoleOutput.ask(ADMIN, server)


def test_a_guest_is_interrupted_and_stays_what_it_is(stage: Stage, member: Member, server: Instance) -> None:
    CrashDump.request(member.actor, server)
    assert (fresh(server).status, fresh(server).task_state) == ("ACTIVE", None)
    with pytest.raises(Conflict, match=r"Cannot 'stop' instance .* while it is in task_state trigger_crash_dump"):
        Stop.request(member.actor, fresh(server))
    stage.settle()
    assert (fresh(server).status, guest(stage, server).interrupts) == ("ACTIVE", 1)
    assert Operation.objects.get(verb="trigger_crash_dump").state == "succeeded"

    Stop.request(member.actor, fresh(server))
    stage.settle()
    with pytest.raises(Conflict, match=r"Cannot 'trigger_crash_dump' instance .* while it is in vm_state stopped"):
        CrashDump.request(member.actor, fresh(server))
