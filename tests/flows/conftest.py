"""Given a stage with two fake hosts and a member who creates servers on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from instances.actions.create import Create, CreateRequest, FlavorSnapshot
from instances.models import Instance
from operations.models import QuotaGate
from tests.support import auth
from tests.support.stage import Stage
from tests.support.verbs import fresh

FLAVOR = FlavorSnapshot("1", "m1.tiny", vcpus=1, ram_mb=512, disk_gb=1)


@pytest.fixture
def stage(db: None, tmp_path: Path) -> Stage:
    return Stage(tmp_path)


class Member:
    """Somebody who makes servers."""

    actor = auth.actor("member-a")

    def has_no_limits(self) -> None:
        for resource in ("instances", "cores", "ram_mb"):
            gate = {"project_id": self.actor.project_id, "resource": resource}
            QuotaGate.objects.update_or_create(**gate, defaults={"limit": -1})

    def creates(self, name: str = "one", count: int = 1, **wishes: object) -> list[Instance]:
        known: dict[str, Any] = {"name": name, "flavor": FLAVOR, "image": None, "count": count}
        wanted = CreateRequest(**(known | wishes))
        return Create.submit(self.actor, wanted, "req-1")


@pytest.fixture
def member() -> Member:
    return Member()


@pytest.fixture
def server(stage: Stage, member: Member) -> Instance:
    """One that runs."""
    [made] = member.creates()
    stage.settle()
    return fresh(made)
