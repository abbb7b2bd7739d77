"""What `./cloud check` makes of pip-audit's words: findings count, and silence is not called health."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deploy import advisories
from deploy.advisories import judge

WEAK = {"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["2.0"]}


def told(*rows: dict[str, Any]) -> str:
    return json.dumps({"dependencies": [{"version": "1.0", **row} for row in rows], "fixes": []})


def test_a_finding_is_open_until_it_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    output = told({"name": "a", "vulns": [WEAK]}, {"name": "b", "vulns": []})
    assert judge(output).open == ["a 1.0: PYSEC-1, mended in 2.0"]
    monkeypatch.setattr(advisories, "ANSWERED", {"CVE-1": "we do not call it"})
    assert judge(output).open == [] and "2 of 2" in str(judge(output))


@pytest.mark.parametrize("output", ["", "no such host", "[]", told({"name": "a", "skip_reason": "not found"})])
def test_silence_is_not_called_health(output: str) -> None:
    assert judge(output).open == [] and judge(output).audited == 0
    assert "nothing was audited" in str(judge(output))
