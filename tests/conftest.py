"""Fixtures for every test; settings are in ``support/environment.py``."""

from __future__ import annotations

import pytest

from tests.support.client import Cloud


@pytest.fixture
def cloud(db: None) -> Cloud:
    """The API, with somebody of each kind to talk to it."""
    return Cloud()
