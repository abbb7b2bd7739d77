"""A pytest plugin: tests with real guests run in one worker, those that break clouds in another, side by side.

All others are handed out file by file. (xdist's own groups do nothing with pytest 9.2, which keeps no changed ids.)
"""

from __future__ import annotations

import pytest
from xdist.remote import Producer  # type: ignore[import-untyped]
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

ONE_AFTER_THE_OTHER = {
    "real guests": ("tests/real/", "tests/drivers/test_deploy_processes.py"),
    "clouds": ("tests/faults/",),
    "one cloud": ("tests/attack/",),
}


class OneAtATime(LoadScopeScheduling):  # type: ignore[misc]
    """What would get into its own kind's way is one piece of work."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.split("::", 1)[0]
        return next((name for name, below in ONE_AFTER_THE_OTHER.items() if path.startswith(below)), path)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneAtATime:
    return OneAtATime(config, log)
