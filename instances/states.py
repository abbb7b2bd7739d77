"""States of a server: one pure function from (what was settled, is being done, was seen) to Nova's four words.

Nobody writes ``vm_state``, ``task_state``, ``power_state`` or ``status`` by hand; they are stored only as an indexed
cache of ``view()``. Source: nova/doc/source/reference/vm-states.rst and its API status table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hosts.drivers.specs import PowerState


class VmState(StrEnum):
    ACTIVE = "active"
    BUILDING = "building"
    PAUSED = "paused"
    SUSPENDED = "suspended"
    STOPPED = "stopped"
    RESCUED = "rescued"
    RESIZED = "resized"
    SOFT_DELETED = "soft-delete"
    DELETED = "deleted"
    ERROR = "error"
    SHELVED = "shelved"
    SHELVED_OFFLOADED = "shelved_offloaded"


class TaskState(StrEnum):
    SCHEDULING = "scheduling"
    BLOCK_DEVICE_MAPPING = "block_device_mapping"
    NETWORKING = "networking"
    SPAWNING = "spawning"
    REBOOTING = "rebooting"
    REBOOTING_HARD = "rebooting_hard"
    PAUSING = "pausing"
    UNPAUSING = "unpausing"
    SUSPENDING = "suspending"
    RESUMING = "resuming"
    IMAGE_SNAPSHOT = "image_snapshot"
    IMAGE_BACKUP = "image_backup"
    POWERING_OFF = "powering-off"
    POWERING_ON = "powering-on"
    DELETING = "deleting"
    SOFT_DELETING = "soft-deleting"
    RESTORING = "restoring"
    MIGRATING = "migrating"
    UPDATING_PASSWORD = "updating_password"  # noqa: S105 (a state's name)
    REBUILDING = "rebuilding"
    REBUILD_BLOCK_DEVICE_MAPPING = "rebuild_block_device_mapping"
    REBUILD_SPAWNING = "rebuild_spawning"
    RESCUING = "rescuing"
    UNRESCUING = "unrescuing"
    SHELVING = "shelving"
    SHELVING_OFFLOADING = "shelving_offloading"
    UNSHELVING = "unshelving"
    RESIZE_PREP = "resize_prep"
    RESIZE_MIGRATING = "resize_migrating"
    RESIZE_MIGRATED = "resize_migrated"
    RESIZE_FINISH = "resize_finish"
    RESIZE_REVERTING = "resize_reverting"
    RESIZE_CONFIRMING = "resize_confirming"


class Status(StrEnum):
    ACTIVE = "ACTIVE"
    BUILD = "BUILD"
    DELETED = "DELETED"
    ERROR = "ERROR"
    HARD_REBOOT = "HARD_REBOOT"
    MIGRATING = "MIGRATING"
    PASSWORD = "PASSWORD"  # noqa: S105 (a state's name)
    PAUSED = "PAUSED"
    REBOOT = "REBOOT"
    REBUILD = "REBUILD"
    RESCUE = "RESCUE"
    RESIZE = "RESIZE"
    REVERT_RESIZE = "REVERT_RESIZE"
    SHELVED = "SHELVED"
    SHELVED_OFFLOADED = "SHELVED_OFFLOADED"
    SHUTOFF = "SHUTOFF"
    SOFT_DELETED = "SOFT_DELETED"
    SUSPENDED = "SUSPENDED"
    UNKNOWN = "UNKNOWN"
    VERIFY_RESIZE = "VERIFY_RESIZE"


V, T, S = VmState, TaskState, Status
_REBUILDS = dict.fromkeys((T.REBUILDING, T.REBUILD_BLOCK_DEVICE_MAPPING, T.REBUILD_SPAWNING), S.REBUILD)
_RESIZES = dict.fromkeys((T.RESIZE_PREP, T.RESIZE_MIGRATING, T.RESIZE_MIGRATED, T.RESIZE_FINISH), S.RESIZE)

STATUS: dict[VmState, tuple[Status, dict[TaskState, Status]]] = {
    V.ACTIVE: (
        S.ACTIVE,
        {
            T.REBOOTING: S.REBOOT,
            T.REBOOTING_HARD: S.HARD_REBOOT,
            T.UPDATING_PASSWORD: S.PASSWORD,
            T.MIGRATING: S.MIGRATING,
            **_REBUILDS,
            **_RESIZES,
        },
    ),
    V.BUILDING: (S.BUILD, {}),
    V.STOPPED: (S.SHUTOFF, {T.REBOOTING_HARD: S.HARD_REBOOT, **_REBUILDS, **_RESIZES}),
    V.RESIZED: (S.VERIFY_RESIZE, {T.RESIZE_REVERTING: S.REVERT_RESIZE}),
    V.PAUSED: (S.PAUSED, {T.MIGRATING: S.MIGRATING, T.REBOOTING_HARD: S.HARD_REBOOT}),
    V.SUSPENDED: (S.SUSPENDED, {T.REBOOTING_HARD: S.HARD_REBOOT}),
    V.RESCUED: (S.RESCUE, {}),
    V.ERROR: (S.ERROR, {T.REBOOTING_HARD: S.HARD_REBOOT, **_REBUILDS}),
    V.DELETED: (S.DELETED, {}),
    V.SOFT_DELETED: (S.SOFT_DELETED, {}),
    V.SHELVED: (S.SHELVED, {}),
    V.SHELVED_OFFLOADED: (S.SHELVED_OFFLOADED, {}),
}

_MOVES = {
    "control": T.RESIZE_PREP,
    "leave": T.RESIZE_MIGRATING,
    "arrive": T.RESIZE_FINISH,
    "": T.RESIZE_MIGRATED,  # on its way back
}

WHILE: dict[str, dict[str, TaskState]] = {
    "create": {"control": T.SCHEDULING, "host": T.SPAWNING},
    "delete": {"": T.DELETING},
    "softDelete": {"": T.SOFT_DELETING},
    "restore": {"": T.RESTORING},
    "start": {"": T.POWERING_ON},
    "stop": {"": T.POWERING_OFF},
    "reboot": {"": T.REBOOTING, "hard": T.REBOOTING_HARD},
    "pause": {"": T.PAUSING},
    "unpause": {"": T.UNPAUSING},
    "suspend": {"": T.SUSPENDING},
    "resume": {"": T.RESUMING},
    "createImage": {"": T.IMAGE_SNAPSHOT},
    "createBackup": {"": T.IMAGE_BACKUP},
    "changePassword": {"": T.UPDATING_PASSWORD},
    "attach_interface": {},
    "detach_interface": {},
    "resetState": {},
    "trigger_crash_dump": {},
    "rescue": {"": T.RESCUING},
    "unrescue": {"": T.UNRESCUING},
    "rebuild": {"": T.REBUILDING},
    "shelve": {"": T.SHELVING},
    "shelveOffload": {"": T.SHELVING_OFFLOADING},
    "unshelve": {"": T.UNSHELVING},
    "resize": _MOVES,
    "migrate": _MOVES,
    "confirmResize": {"": T.RESIZE_CONFIRMING},
    "revertResize": {"": T.RESIZE_REVERTING},
    "heal": {},
}
"""verb → phase → task state while it runs; the phase ``""`` serves phases that are not named."""

ENDS: dict[str, VmState] = {
    "create": V.ACTIVE,
    "delete": V.DELETED,
    "softDelete": V.SOFT_DELETED,
    "restore": V.ACTIVE,
    "start": V.ACTIVE,
    "stop": V.STOPPED,
    "reboot": V.ACTIVE,
    "pause": V.PAUSED,
    "unpause": V.ACTIVE,
    "suspend": V.SUSPENDED,
    "resume": V.ACTIVE,
    "rescue": V.RESCUED,
    "unrescue": V.ACTIVE,
    "rebuild": V.ACTIVE,
    "shelve": V.SHELVED,
    "shelveOffload": V.SHELVED_OFFLOADED,
    "unshelve": V.ACTIVE,
    "resize": V.RESIZED,
    "migrate": V.RESIZED,
    "confirmResize": V.ACTIVE,
    "revertResize": V.ACTIVE,
}
"""verb → what is settled when it succeeded; a verb that is not here leaves the server where it was."""


ON, HELD, OFF = V.ACTIVE, V.PAUSED, V.STOPPED
# The state that a guest's power speaks for, and those it does not contradict.
FITS = {
    ON: frozenset({V.ACTIVE, V.RESCUED, V.RESIZED}),
    HELD: frozenset({V.PAUSED}),
    OFF: frozenset({V.STOPPED, V.SUSPENDED, V.SHELVED, V.ERROR, V.SOFT_DELETED}),
}


def fitting(settled: VmState, power: PowerState) -> VmState:
    """What a server is whose guest was seen with this power: what it was, if that fits."""
    says = {PowerState.RUNNING: ON, PowerState.PAUSED: HELD}.get(power, OFF)
    return settled if settled in FITS[says] else says


@dataclass(frozen=True, slots=True)
class View:
    """What the API shows."""

    vm_state: VmState
    task_state: TaskState | None
    power_state: PowerState
    status: Status

    def columns(self) -> dict[str, str | int | None]:
        return {
            "vm_state": self.vm_state.value,
            "task_state": self.task_state.value if self.task_state else None,
            "power_state": self.power_state.value,
            "status": self.status.value,
        }


def view(settled: VmState, verb: str | None = None, phase: str = "", observed: PowerState = PowerState.NOSTATE) -> View:
    """The one function. ``settled``: where the last finished operation left it; ``verb``/``phase``: the open one."""
    task = None
    if verb is not None and settled is not V.DELETED:
        phases = WHILE.get(verb, {})
        task = phases.get(phase) or phases.get("")
    default, special = STATUS[settled]
    status = special.get(task, default) if task else default
    power = PowerState.NOSTATE if settled in (V.DELETED, V.BUILDING, V.SHELVED_OFFLOADED) else observed
    return View(settled, task, power, status)
