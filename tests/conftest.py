"""Settings and fixtures for every test. The database is SQLite unless COMPUTECLOUD_DATABASE_URL says otherwise."""

from __future__ import annotations

import os
import tempfile

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "computecloud.settings")
os.environ.setdefault("COMPUTECLOUD_SECRET_KEY", "a key for tests only, forty characters long")
os.environ.setdefault("COMPUTECLOUD_STATE_DIR", tempfile.mkdtemp(prefix="computecloud-test-"))
os.environ.setdefault("COMPUTECLOUD_BROKER_URL", "memory://")
os.environ.setdefault("COMPUTECLOUD_AUTHENTICATOR", "tests.support.auth.authenticate")
os.environ.setdefault("COMPUTECLOUD_LOG_LEVEL", "WARNING")

import pytest
from django.conf import settings

from tests.support.client import Cloud

assert settings.DATABASES  # read here, after the lines above; pytest-django sets Django up when it sees them read


@pytest.fixture
def cloud(db: None) -> Cloud:
    """The API, with somebody of each kind to talk to it."""
    return Cloud()
