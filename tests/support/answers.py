"""For flow tests of requests that wait for their host: whoever waits lets everything happen first."""

from __future__ import annotations

from typing import Any

import pytest

from operations import waiting
from tests.support.stage import Stage


def hosts_answer(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host does what was asked of it while the request waits, as a real one would in its own process."""
    real = waiting.outcome

    def outcome(*args: Any, **words: Any) -> waiting.Outcome:
        stage.settle()
        return real(*args, **words)

    monkeypatch.setattr(waiting, "outcome", outcome)
