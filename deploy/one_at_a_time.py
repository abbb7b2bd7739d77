"""A pytest plugin: tests that start real processes or guests share one worker, so that they never run side by side."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

ALONE = ("real", "faults")


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    for item in items:
        if any(item.get_closest_marker(name) for name in ALONE):
            item.add_marker(pytest.mark.xdist_group("alone"))
