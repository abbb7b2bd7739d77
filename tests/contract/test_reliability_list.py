"""The reliability list and its tests agree: docs/reference/rows.md is current, no row's test is skipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.rows import PAGE, TESTS, TITLES, page, shown

pytest_plugins = ["pytester"]


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == page(), "run: python -m tests.support.rows > docs/reference/rows.md"


def test_every_row_is_shown() -> None:
    named = {one.row for one in shown()}
    assert named <= set(TITLES), "a row that nobody has described"
    assert not set(TITLES) - named, "rows without a test"


def test_no_test_of_a_row_is_skipped() -> None:
    assert [one.test for one in shown() if one.is_skipped] == []


def test_a_row_that_is_skipped_when_it_runs_has_failed(pytester: pytest.Pytester) -> None:
    pytester.makeconftest((TESTS / "conftest.py").read_text())
    pytester.makepyfile(
        "import pytest\n@pytest.mark.row('S33')\ndef test_a(): pytest.skip('no')\ndef test_b(): pytest.skip('no')"
    )
    pytester.makeini("[pytest]\nmarkers = row(*ids): x\n")
    pytester.runpytest("-p", "no:randomly", "-p", "no:django", "-p", "no:xdist").assert_outcomes(failed=1, skipped=1)


@pytest.mark.parametrize(
    ("text", "rows", "skipped"),
    [
        ('import pytest\n\n\n@pytest.mark.row("S1", "S2")\ndef test_a(): pass', ["S1", "S2"], False),
        ('import pytest\npytestmark = [pytest.mark.row("S1")]\n\ndef test_a(): pass', ["S1"], False),
        ('import pytest\n@pytest.mark.row("S1")\nclass TestX:\n    def test_a(self): pass', ["S1"], False),
        (
            'import pytest\n@pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.row("S1"))])\n'
            "def test_a(x): pass",
            ["S1"],
            False,
        ),
        ('import pytest\n@pytest.mark.row("S1")\n@pytest.mark.skip\ndef test_a(): pass', ["S1"], True),
        ('import pytest\n@pytest.mark.row("S1")\n@pytest.mark.skipif(True)\ndef test_a(): pass', ["S1"], False),
        ('import pytest\npytest.importorskip("x")\n@pytest.mark.row("S1")\ndef test_a(): pass', ["S1"], True),
        ('import pytest\n@pytest.mark.row("S1")\ndef helper(): pass', [], False),
    ],
)
def test_marks_are_read_wherever_they_may_stand(tmp_path: Path, text: str, rows: list[str], skipped: bool) -> None:
    (tmp_path / "test_it.py").write_text(text)
    found = shown(tmp_path)
    assert [one.row for one in found] == rows
    assert all(one.is_skipped is skipped for one in found)
