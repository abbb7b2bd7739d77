"""Fixtures for every test; settings are in ``support/environment.py``."""

from __future__ import annotations

import pytest
from django.conf import settings

from tests.support.client import Cloud


@pytest.fixture
def cloud(db: None) -> Cloud:
    """The API, with somebody of each kind to talk to it."""
    return Cloud()


@pytest.fixture(scope="session")
def django_db_modify_db_settings_xdist_suffix(request: pytest.FixtureRequest) -> None:
    """Several test processes: a database each on PostgreSQL; on SQLite each has its own memory anyway.

    pytest-django knows that of Django's own back end only, and would make a file name out of the path.
    """
    if not settings.DATABASES["default"]["ENGINE"].endswith("sqlite"):
        request.getfixturevalue("django_db_modify_db_settings_xdist_suffix")
