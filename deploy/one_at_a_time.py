"""A pytest plugin: tests that would get into their own kind's way run one after the other, beside those of other kinds.

The kinds begin first, in the order in which they stand here, as each takes minutes and mostly waits; all other tests
are handed out file by file. Within a kind its files keep their order too: a worker with two tests left is given its
next kind already, which waits for them, so the longest test must not be among the last. (xdist's own groups do nothing
with pytest 9.2, which keeps no changed ids.)
"""

from __future__ import annotations

import pytest
from xdist.remote import Producer  # type: ignore[import-untyped]
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

ONE_AFTER_THE_OTHER = {
    "real guests": ("tests/real/", "tests/drivers/test_deploy_processes.py"),
    "hosts that come and go": tuple(f"tests/faults/test_{name}.py" for name in ("cloud_up", "machines", "restore")),
    "deaths": tuple(f"tests/faults/test_{name}.py" for name in ("matrix", "killed", "rolling_restart")),
    "clouds": ("tests/faults/",),
    "one cloud": ("tests/attack/",),
}


def kind(nodeid: str) -> str:
    """What runs one after the other with this test: of its kind, or of its file."""
    path = nodeid.split("::", 1)[0]
    return next((name for name, below in ONE_AFTER_THE_OTHER.items() if path.startswith(below)), path)


def turn(nodeid: str) -> tuple[int, int]:
    """Where a test stands among the kinds, and within its own."""
    for place, below in enumerate(ONE_AFTER_THE_OTHER.values()):
        for number, path in enumerate(below):
            if nodeid.startswith(path):
                return place, number
    return len(ONE_AFTER_THE_OTHER), 0


class OneAtATime(LoadScopeScheduling):  # type: ignore[misc]
    """A kind is one piece of work."""

    def _split_scope(self, nodeid: str) -> str:
        return kind(nodeid)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: turn(item.nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneAtATime:
    config.option.loadscopereorder = False  # which begins with what has most tests, not with what takes longest
    return OneAtATime(config, log)
