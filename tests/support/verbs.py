"""For flow tests of verbs: a server's row and guest as they are now, and a step that fails."""

from __future__ import annotations

from typing import Any

import pytest

from computecloud.core.failpoints import InjectedFailure
from hosts.drivers import steps
from hosts.drivers.specs import Step
from instances.models import Instance
from tests.support.stage import Stage


def fresh(server: Instance) -> Instance:
    return Instance.objects.select_related("host").get(id=server.id)


def guest(stage: Stage, server: Instance) -> Any:
    return stage.drivers[server.host_id or ""].guests.find(server.id)  # type: ignore[attr-defined]


def fail_at(monkeypatch: pytest.MonkeyPatch, name: str, times: int = 1) -> None:
    """The step of that name fails so often, after its work."""
    left, real = [times], steps.run

    def run(step: Step, *args: Any) -> None:
        real(step, *args)
        if step.name == name and left[0]:
            left[0] -= 1
            raise InjectedFailure(name)

    monkeypatch.setattr(steps, "run", run)
