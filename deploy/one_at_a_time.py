"""A pytest plugin: tests that start real processes or guests run in one worker, so that they never run side by side.

All others are handed out file by file. (xdist's own groups do nothing with pytest 9.2, which keeps no changed ids.)
"""

from __future__ import annotations

import pytest
from xdist.remote import Producer  # type: ignore[import-untyped]
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

ALONE = ("tests/real/", "tests/faults/", "tests/drivers/test_deploy_processes.py")
ONE_CLOUD = "tests/attack/"


class OneAtATime(LoadScopeScheduling):  # type: ignore[misc]
    """Everything below ALONE is one piece of work, and what shares a running cloud is another."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.split("::", 1)[0]
        if path.startswith(ONE_CLOUD):
            return ONE_CLOUD
        return "alone" if path.startswith(ALONE) else path


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneAtATime:
    return OneAtATime(config, log)
