"""Fixtures for every test; settings are in ``support/environment.py``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings

from scheduling import configuration, service
from tests.support.client import Cloud


@pytest.fixture(autouse=True)
def nothing_known() -> None:
    """A process keeps its table of hosts, and its rules for a second: those of the test before must not decide here."""
    configuration.IN_FORCE.forget()
    service.forget()


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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A row of the reliability list is shown or it is not: leaving its test out is a failure."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.skipped and item.get_closest_marker("row"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} shows a row of the reliability list and was skipped: {report.longrepr}"
    return report  # type: ignore[return-value]
