"""Pages of docs/reference that are printed from the code are current; every error can be told in every envelope."""

from __future__ import annotations

import string
from io import StringIO
from pathlib import Path

import orjson
import pytest
from django.core.management import call_command

from computecloud.http import faults
from operations.management.commands.reference import every_error

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"


@pytest.mark.parametrize("page", ["policy", "errors"])
def test_the_page_is_current(page: str) -> None:
    printed = StringIO()
    call_command("reference", page, stdout=printed)
    assert (REFERENCE / f"{page}.md").read_text() == printed.getvalue(), f"run: manage.py reference {page}"


@pytest.mark.parametrize("service", sorted(faults.ENVELOPES))
def test_every_error_is_told_in_every_envelope(service: str) -> None:
    for kind in every_error():
        names = [name for _text, name, _spec, _conversion in string.Formatter().parse(kind.message) if name]
        error = kind(**{name.partition(".")[0].partition("[")[0]: "x" * 3000 for name in names})
        answer = faults.envelope(service, error)
        assert answer.status_code == kind.status and 400 <= kind.status < 600
        assert len(answer.content) < 4096 and isinstance(orjson.loads(answer.content), dict)
