"""The state table, walked over its whole product."""

from __future__ import annotations

from itertools import product

import pytest

from hosts.drivers.specs import PowerState
from instances.actions.registry import ACTIONS
from instances.states import ENDS, STATUS, WHILE, Status, TaskState, VmState, view

PHASES = ("", "control", "host", "hard")


@pytest.mark.parametrize("settled", list(VmState))
def test_every_combination_has_one_answer(settled: VmState) -> None:
    for verb, phase, power in product([None, *WHILE], PHASES, PowerState):
        seen = view(settled, verb, phase, power)
        assert seen.vm_state is settled
        assert isinstance(seen.status, Status)
        if verb is None or settled is VmState.DELETED:
            assert seen.task_state is None
        if settled in (VmState.DELETED, VmState.BUILDING):
            assert seen.power_state is PowerState.NOSTATE


def test_every_vm_state_has_a_status() -> None:
    assert set(STATUS) == set(VmState)


@pytest.mark.parametrize(
    ("settled", "verb", "phase", "status", "task"),
    [
        (VmState.BUILDING, "create", "control", "BUILD", "scheduling"),
        (VmState.BUILDING, "create", "host", "BUILD", "spawning"),
        (VmState.ACTIVE, None, "", "ACTIVE", None),
        (VmState.ACTIVE, "stop", "host", "ACTIVE", "powering-off"),
        (VmState.ACTIVE, "reboot", "", "REBOOT", "rebooting"),
        (VmState.ACTIVE, "reboot", "hard", "HARD_REBOOT", "rebooting_hard"),
        (VmState.STOPPED, "reboot", "hard", "HARD_REBOOT", "rebooting_hard"),
        (VmState.STOPPED, "start", "host", "SHUTOFF", "powering-on"),
        (VmState.ERROR, "delete", "host", "ERROR", "deleting"),
        (VmState.BUILDING, "delete", "host", "BUILD", "deleting"),
        (VmState.ACTIVE, "pause", "host", "ACTIVE", "pausing"),
        (VmState.PAUSED, "unpause", "host", "PAUSED", "unpausing"),
        (VmState.ACTIVE, "suspend", "host", "ACTIVE", "suspending"),
        (VmState.SUSPENDED, "resume", "host", "SUSPENDED", "resuming"),
        (VmState.STOPPED, "rescue", "host", "SHUTOFF", "rescuing"),
        (VmState.STOPPED, "rebuild", "host", "REBUILD", "rebuilding"),
        (VmState.ERROR, "rebuild", "host", "REBUILD", "rebuilding"),
        (VmState.ACTIVE, "createBackup", "host", "ACTIVE", "image_backup"),
        (VmState.ACTIVE, "shelve", "host", "ACTIVE", "shelving"),
        (VmState.SHELVED, "shelveOffload", "host", "SHELVED", "shelving_offloading"),
        (VmState.SHELVED_OFFLOADED, "unshelve", "control", "SHELVED_OFFLOADED", "unshelving"),
        (VmState.PAUSED, "softDelete", "host", "PAUSED", "soft-deleting"),
        (VmState.SOFT_DELETED, "restore", "host", "SOFT_DELETED", "restoring"),
        (VmState.RESCUED, "unrescue", "host", "RESCUE", "unrescuing"),
        (VmState.SUSPENDED, "reboot", "hard", "HARD_REBOOT", "rebooting_hard"),
    ],
)
def test_the_words_nova_uses(settled: VmState, verb: str | None, phase: str, status: str, task: str | None) -> None:
    seen = view(settled, verb, phase, PowerState.RUNNING)
    assert seen.status == status
    assert seen.task_state == task


def test_verbs_that_change_a_server_are_in_the_table() -> None:
    for verb, action in ACTIONS.items():
        if action.listed:
            assert verb in WHILE
            assert verb in ENDS or action.turns_power is None
            assert all(isinstance(task, TaskState) for task in WHILE[verb].values())
