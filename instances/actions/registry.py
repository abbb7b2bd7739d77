"""Every verb by name. The conductor and the agents look verbs up here."""

from __future__ import annotations

from instances.actions.base import Action
from instances.actions.console import ConsoleOutput
from instances.actions.crash_dump import CrashDump
from instances.actions.create import Create
from instances.actions.create_backup import CreateBackup
from instances.actions.create_image import CreateImage
from instances.actions.delete import Delete
from instances.actions.diagnostics import Diagnostics
from instances.actions.interfaces import AttachInterface, DetachInterface
from instances.actions.password import ChangePassword
from instances.actions.pause import Pause, Unpause
from instances.actions.power import Start, Stop
from instances.actions.reboot import Reboot
from instances.actions.rebuild import Rebuild
from instances.actions.rescue import Rescue, Unrescue
from instances.actions.reset_state import ResetState
from instances.actions.resize import Migrate, Resize
from instances.actions.resize_end import ConfirmResize, RevertResize
from instances.actions.shelve import Shelve, ShelveOffload, Unshelve
from instances.actions.soft_delete import Restore, SoftDelete
from instances.actions.suspend import Resume, Suspend

VERBS: tuple[type[Action], ...] = (
    Create, Delete, Start, Stop, Reboot, Pause, Unpause, Suspend, Resume, CreateImage, ConsoleOutput,
    Rescue, Unrescue, Rebuild, Shelve, ShelveOffload, Unshelve, CreateBackup, SoftDelete, Restore,
    Diagnostics, CrashDump, ChangePassword, AttachInterface, DetachInterface,
    ResetState, Resize, Migrate, ConfirmResize, RevertResize,
)  # fmt: skip
ACTIONS: dict[str, type[Action]] = {action.verb: action for action in VERBS}
OLDEST_READ = 1
READS = tuple(range(OLDEST_READ, max(action.schema_version for action in VERBS) + 1))
"""Forms of operations (``Action.schema_version``) that this release can do."""
