"""All pairs: each verb requested while each other runs is refused in Nova's words, or wins over it.

Both come from the registry: a verb that is registered is tried against all others the moment it exists.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from computecloud.conf import conf
from computecloud.core.errors import Conflict
from hosts.drivers import steps
from hosts.drivers.specs import Step
from instances.actions.base import Action
from instances.actions.create import Create
from instances.actions.ending import Ending
from instances.actions.question import Question
from instances.actions.registry import ACTIONS
from instances.actions.soft_delete import SoftDelete
from instances.models import Instance
from instances.states import VmState
from integrations.networks import facade as networks
from integrations.networks.facade import PortPlan
from operations.models import Operation
from tasks import crashpoints
from tests.faults.matrix import cells
from tests.faults.matrix.cells import Variant
from tests.flows.conftest import Member
from tests.support import auth
from tests.support.stage import Stage
from tests.support.verbs import fresh

pytestmark = pytest.mark.django_db(transaction=True)
ADMIN = auth.actor("admin")
IN_NOVAS_WORDS = re.compile(r"Cannot '\w+' instance \S+ while it is in (vm_state|task_state) [\w-]+$")
RUNNING = [one for one in cells.variants() if not issubclass(ACTIONS[one.verb], Question)]
ENDINGS = [action for action in ACTIONS.values() if issubclass(action, Ending)]
REFUSED = [action for action in ACTIONS.values() if not issubclass(action, Ending | Question | Create)]
MOMENTS = ("waits for its host", "is under way there")
CASES = [
    pytest.param(variant, moment, id=f"{variant.name} {moment}")
    for variant in RUNNING
    for moment in MOMENTS
    if moment == MOMENTS[0] or crashpoints.steps_of(variant.verb)
]
LATEST = [
    pytest.param(variant, MOMENTS[bool(crashpoints.steps_of(variant.verb))], id=variant.name) for variant in RUNNING
]


class Meanwhile:
    """Something happens in the middle of a verb: before it is rung for, or between its first step and the next."""

    def __init__(self, stage: Stage, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
        self.stage, self.monkeypatch, self.moment = stage, monkeypatch, moment

    def happens(self, what: Callable[[], None]) -> None:
        if self.moment == MOMENTS[0]:
            what()
            self.stage.settle()
            return
        real, done = steps.run, []

        def run(step: Step, *args: Any) -> None:
            real(step, *args)
            if not done:
                done.append(step.name)
                what()

        with self.monkeypatch.context() as patch:
            patch.setattr(steps, "run", run)
            self.stage.settle()
        assert done, "it has no step on a host"


@pytest.fixture
def stage(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Guests have an agent in them, and what is shelved stays where it is until it is told otherwise."""
    monkeypatch.setenv("COMPUTECLOUD_SHELVED_OFFLOAD_S", "-1")
    conf.cache_clear()
    yield Stage(tmp_path, agents=True)
    monkeypatch.undo()
    conf.cache_clear()


@pytest.fixture
def network(stage: Stage) -> str:
    return networks.ensure_network(ADMIN.project_id or "", "private-net", "10.9.0.0/24")


def wanted(action: type[Action], server: Instance, variant: Variant | None = None) -> dict[str, Any]:
    """Arguments with which it is asked for."""
    if action.verb == "detach_interface":
        return {"port_id": fresh(server).network_info[-1]["port_id"]}
    return dict(variant.arguments if variant else action.examples[0])


class Owner(Member):
    """An administrator: who may ask for every verb, and is not told of anything as locked."""

    actor = ADMIN


def begun(stage: Stage, network: str, variant: Variant) -> Instance:
    """A server on which the verb has been asked for; the verb waits for its host."""
    owner = Owner()
    owner.has_no_limits()
    [server] = owner.creates(networks=(PortPlan(network),))
    for verb in variant.way[1:]:
        stage.settle()
        action = ACTIONS[verb]
        action.request(ADMIN, fresh(server), **wanted(action, server))
    if variant.verb == Create.verb:
        stage.ring(Operation.objects.get(subject_id=server.id))  # placed
    else:
        stage.settle()
        action = ACTIONS[variant.verb]
        action.request(ADMIN, fresh(server), **wanted(action, server, variant))
    return fresh(server)


@pytest.mark.parametrize(("variant", "moment"), CASES)
def test_every_other_verb_is_refused_and_nothing_changes(
    stage: Stage, network: str, monkeypatch: pytest.MonkeyPatch, variant: Variant, moment: str
) -> None:
    server = begun(stage, network, variant)
    one = Operation.objects.open().get(subject_id=server.id)

    def all_others() -> None:
        before = Instance.objects.values().get(id=server.id)
        for action in REFUSED:
            with pytest.raises(Conflict) as refused:
                action.request(ADMIN, fresh(server), **wanted(action, server))
            assert IN_NOVAS_WORDS.match(str(refused.value)) or "is not ready" in str(refused.value), action.verb
        assert Instance.objects.values().get(id=server.id) == before

    Meanwhile(stage, monkeypatch, moment).happens(all_others)
    assert Operation.objects.get(id=one.id).state == "succeeded"
    stage.assert_balanced()


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda one: one.verb)
@pytest.mark.parametrize(("variant", "moment"), LATEST)
def test_an_end_wins_over_every_other_verb(
    stage: Stage,
    network: str,
    monkeypatch: pytest.MonkeyPatch,
    variant: Variant,
    ending: type[Ending],
    moment: str,
) -> None:
    server = begun(stage, network, variant)
    one = Operation.objects.open().get(subject_id=server.id)
    gives_way = variant.verb in ending.wins_not_over
    is_whole = server.settled not in (VmState.BUILDING, VmState.SHELVED_OFFLOADED)
    is_refused = ending is SoftDelete and (ACTIONS[variant.verb].reshapes or not is_whole)

    def ends() -> None:
        if is_refused:
            with pytest.raises(Conflict):
                ending.request(ADMIN, fresh(server), **wanted(ending, server))
            return
        accepted = ending.request(ADMIN, fresh(server), **wanted(ending, server))
        assert (accepted.id == one.id) is gives_way

    Meanwhile(stage, monkeypatch, moment).happens(ends)
    assert Operation.objects.get(id=one.id).state == ("succeeded" if gives_way or is_refused else "superseded")
    assert Operation.objects.open().filter(subject_id=server.id).count() == 0
    if ending.verb == "delete" or (gives_way and variant.verb == "delete"):
        assert fresh(server).status == "DELETED"
        assert stage.guests() == {}
    if ending.verb != "resetState":
        stage.assert_balanced()
