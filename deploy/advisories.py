"""pip-audit over what is installed: known weaknesses of our requirements, each mended or answered (S60).

Its closing line says "no known vulnerabilities" also when the advisory service answered for no package at all; here
what was really asked is counted, and said.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

ANSWERED: dict[str, str] = {}
"""Advisory → why it does not concern us."""


@dataclass(frozen=True)
class Verdict:
    """``open``: findings without an answer, each as a line. ``audited`` of ``packages`` were known to the service."""

    packages: int = 0
    audited: int = 0
    open: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        if self.open:
            return "; ".join(self.open)
        if not self.audited:
            return "nothing was audited: the advisory service did not answer for any package"
        return f"{self.audited} of {self.packages} packages audited, nothing open"


def command(python: str) -> list[str]:
    return [python, "-m", "pip_audit", "--progress-spinner", "off", "--timeout", "10", "-f", "json"]


def judge(output: str) -> Verdict:
    """What pip-audit's JSON says. Output that is none counts as no answer."""
    try:
        rows: list[dict[str, Any]] = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return Verdict()
    found = [
        f"{row['name']} {row['version']}: {one['id']}, mended in {', '.join(one.get('fix_versions') or ['no version'])}"
        for row in rows
        for one in row.get("vulns", [])
        if not {one["id"], *one.get("aliases", [])} & set(ANSWERED)
    ]
    return Verdict(len(rows), sum("skip_reason" not in row for row in rows), found)
