"""Verbs of servers: the registry, the state table and the Celery tasks tell the same story."""

from __future__ import annotations

from celery import current_app

from instances.actions.registry import ACTIONS
from instances.states import ENDS, STATUS, WHILE, VmState
from operations.models.operation import Operation, host_queue
from tasks import control, host

WITHOUT_ACTION = {"heal"}  # made by the reconciler, performed by its own step


def test_every_verb_is_registered_under_its_own_name() -> None:
    assert {verb: action.verb for verb, action in ACTIONS.items()} == {verb: verb for verb in ACTIONS}


def test_the_state_table_speaks_of_verbs_that_exist() -> None:
    assert set(WHILE) - set(ACTIONS) <= WITHOUT_ACTION
    assert set(ENDS) <= set(ACTIONS)


def test_a_verb_that_changes_a_server_says_what_is_shown_meanwhile_and_after() -> None:
    for verb, action in ACTIONS.items():
        changes = verb in ENDS or action.ends_in is not None or action.turns_power is not None
        if changes:
            assert WHILE.get(verb), f"{verb} shows no task state while it runs"
            assert verb in ENDS or action.ends_in is not None, f"{verb} ends nowhere"


def test_a_verb_starts_from_states_that_can_be_shown() -> None:
    for action in ACTIONS.values():
        assert set(action.allowed_from) <= set(VmState)
    assert set(STATUS) == set(VmState)


def test_every_verb_has_the_task_that_its_operation_names() -> None:
    for verb in ACTIONS:
        task = Operation(subject_kind="server", verb=verb, queue=host_queue("h")).task_name
        assert task in current_app.tasks, f"nobody serves {task}"
        assert host.TASKS[verb].name == task


def test_every_task_of_a_host_has_a_verb() -> None:
    served = {name.removeprefix("server.") for name in current_app.tasks if name.startswith("server.")}
    assert served == set(ACTIONS)


def test_a_verb_placed_by_the_centre_has_its_task_there() -> None:
    assert control.create.name == Operation(verb="create", queue="control").task_name
