"""A's things, made once for all tests of a walk."""

from __future__ import annotations

from pathlib import Path

import pytest

from integrations.images import store
from tests.support.client import Cloud
from tests.support.servers import forget_everything
from tests.support.tenant import Tenant


@pytest.fixture
def tenant(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tenant:
    """Project A with one thing of each kind."""
    monkeypatch.setattr(store, "directory", lambda: tmp_path / "images")
    forget_everything()
    return Tenant(cloud)
