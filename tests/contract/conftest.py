"""A's things, made for each walk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from integrations.images import store
from operations import waiting
from operations.models.quota_gate import forget_defaults
from tests.support.client import Cloud
from tests.support.servers import forget_everything
from tests.support.tenant import Tenant


def no_host_answers(*_: object, **__: object) -> waiting.Outcome:
    """What waits for a host need not wait here: there is none that could answer."""
    return waiting.Outcome(succeeded=False, result={}, fault="No host answers in these tests.", code=501)


@pytest.fixture
def tenant(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tenant]:
    """Project A with one thing of each kind. What this process remembers is forgotten before and after."""
    monkeypatch.setattr(store, "directory", lambda: tmp_path / "images")
    monkeypatch.setattr(waiting, "outcome", no_host_answers)
    forget_everything()
    forget_defaults()
    yield Tenant(cloud)
    forget_everything()
    forget_defaults()
