"""A's things, made for each walk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from integrations.images import store
from operations.models.quota_gate import forget_defaults
from tests.support.client import Cloud
from tests.support.servers import forget_everything
from tests.support.tenant import Tenant


@pytest.fixture
def tenant(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tenant]:
    """Project A with one thing of each kind. What this process remembers is forgotten before and after."""
    monkeypatch.setattr(store, "directory", lambda: tmp_path / "images")
    forget_everything()
    forget_defaults()
    yield Tenant(cloud)
    forget_everything()
    forget_defaults()
