"""Every operation of Nova's API is routed, in its versions and nowhere else (conformance/compute_operations.txt)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.urls import resolve

from tests.support.client import Cloud

LIST = Path(__file__).parents[2] / "conformance" / "compute_operations.txt"
OLDEST, NEWEST = 1, 104


@dataclass(frozen=True)
class Asked:
    """One line of the list."""

    method: str
    path: str
    versions: str

    @property
    def url(self) -> str:
        filled = re.sub(r"\{\w+\}", "x", self.path)
        return "/compute/v2.1" + ("" if filled == "/" else filled)

    @property
    def outside(self) -> list[int]:
        """The nearest versions at which it does not exist."""
        first, last = re.fullmatch(r"(?:2\.(\d+))? ?-? ?(?:2\.(\d+))?", self.versions).groups()  # type: ignore[union-attr]
        before = [int(first) - 1] if first and int(first) > OLDEST else []
        return before + ([int(last) + 1] if last and int(last) < NEWEST else [])


def operations() -> list[Asked]:
    """Paths and methods; named actions are the matter of their resource's own tests."""
    lines = [line.split("\t") for line in LIST.read_text().splitlines() if line and not line.startswith("#")]
    return list(
        dict.fromkeys(Asked(method, path, versions) for method, path, action, versions, *_ in lines if action == "-")
    )


@pytest.mark.parametrize("asked", operations(), ids=lambda asked: f"{asked.method} {asked.path}")
def test_it_is_routed(asked: Asked) -> None:
    view: Any = resolve(asked.url).func
    assert asked.method.lower() in view.actions


@pytest.mark.parametrize("span", ["gone(410)"])
def test_what_is_gone_says_so(cloud: Cloud, span: str) -> None:
    for asked in operations():
        if asked.versions == span:
            for version in (OLDEST, NEWEST):
                answered = cloud.as_admin.at(f"2.{version}").request(asked.method, asked.url, {})
                assert answered.status_code == 410, (asked, answered.content)


def test_it_is_not_found_outside_its_versions(cloud: Cloud) -> None:
    for asked in operations():
        if asked.versions in ("all", "gone(410)") or asked.versions.startswith("2.0"):
            continue
        for minor in asked.outside:
            answered = cloud.as_admin.at(f"2.{minor}").request(asked.method, asked.url, {})
            assert answered.status_code == 404, (asked, minor, answered.content)
