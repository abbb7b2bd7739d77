"""Every crash point of the product, found and not typed: declared ones, and the steps that verbs make on a driver."""

from __future__ import annotations

import tempfile
from pathlib import Path

from computecloud.core.failpoints import DECLARED
from hosts.drivers import registry
from hosts.drivers.specs import ConfigDriveSpec, DiskSpec, GuestSpec
from instances.actions.base import Order
from instances.actions.registry import ACTIONS

SPEC = GuestSpec(
    "guest", "guest", "project", epoch=1, operation_id="operation", vcpus=1, ram_mb=64,
    disks=(DiskSpec("root", 0, "vda", 1),), config_drive=ConfigDriveSpec({}),
)  # fmt: skip


def steps_of(verb: str) -> list[str]:
    """Names of the steps that a verb makes on the fake driver, with each of its examples; in order, each once."""
    names: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        driver = registry.make("fake", {}, None, Path(folder))
        for arguments in ACTIONS[verb].examples:
            for phase in ACTIONS[verb].phases or ("",):
                asked = {**arguments, "phase": phase, "starts": True, "move": SPEC.id} if phase else dict(arguments)
                order = Order("operation", verb, 1, SPEC.id, "host", SPEC.epoch, asked, SPEC)
                names += [step.name for step in ACTIONS[verb]().perform(driver, order)]
    return list(dict.fromkeys(names))


def of_steps(*verbs: str) -> list[str]:
    """Before and after each step of these verbs, or of each."""
    steps = [f"server.{verb}.{step}" for verb in verbs or ACTIONS for step in steps_of(verb)]
    return [f"{step}.{when}" for step in steps for when in ("before", "after")]


def all_points() -> list[str]:
    """Those that stand in modules, then those of the verbs' steps."""
    return [*sorted(DECLARED), *of_steps()]
