"""`./cloud check` and `./cloud test`: the same commands for people and for `.ci/run`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy import advisories, management, postgres
from deploy.cloud import CHECKOUT
from deploy.progress import Progress

BIN = Path(sys.executable).parent
PACKAGES = [*management.PACKAGES, "deploy"]
TEST_KEY = "a key for tests only, never for a cloud: 0123456789"
AT_ONCE = "3"  # on two cores: those that run clouds and guests mostly wait
AUDIT_S = 90
SETTINGS, OF_TESTS = "COMPUTECLOUD_", "COMPUTECLOUD_TEST_"  # a user's settings are no test's
WITH_DATABASE = ("tests/api", "tests/contract", "tests/flows")  # the others use none, or a cloud of their own


def _environment(**more: str) -> dict[str, str]:
    return {
        "COMPUTECLOUD_SECRET_KEY": TEST_KEY,
        "DJANGO_SETTINGS_MODULE": "computecloud.settings",
        **{
            name: value
            for name, value in os.environ.items()
            if not name.startswith(SETTINGS) or name.startswith(OF_TESTS)
        },
        **more,
        "PYTHONPATH": str(CHECKOUT),
    }


def _call(command: Sequence[str], **environment: str) -> int:
    """Exit status of a program whose output goes straight to the terminal."""
    sys.stdout.flush()
    return subprocess.run(list(command), cwd=CHECKOUT, env=_environment(**environment), check=False).returncode


def checks() -> list[tuple[str, list[str]]]:
    """Name and command of each check."""
    python = str(BIN / "python")
    return [
        ("ruff", [str(BIN / "ruff"), "check", "--output-format", "concise", "."]),
        ("mypy", [str(BIN / "mypy"), *PACKAGES]),
        ("import directions", [str(BIN / "lint-imports")]),
        ("migrations complete", [python, "manage.py", "makemigrations", "--check", "--dry-run"]),
        ("Django system checks", [python, "manage.py", "check"]),
    ]


def failed_checks() -> list[str]:
    """Run every check; the names of those that failed, whose output is shown."""
    progress, failed = Progress(), []
    for name, command in checks():
        with progress.step(f"check: {name}"):
            done = subprocess.run(
                command,
                cwd=CHECKOUT,
                env=_environment(),
                check=False,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            if done.returncode:
                failed.append(name)
                for line in done.stdout.splitlines()[-60:]:
                    progress.note(line)
                progress.note(f"{name}: FAILED with status {done.returncode}")
    return [*failed, *_open_advisories(progress)]


def _open_advisories(progress: Progress) -> list[str]:
    """pip-audit, where its service can be reached; what it could not ask is said."""
    with progress.step("check: pip-audit"):
        try:
            done = subprocess.run(
                advisories.command(sys.executable), cwd=CHECKOUT, env=_environment(), check=False,
                capture_output=True, text=True, timeout=AUDIT_S,
            )  # fmt: skip
            verdict = advisories.judge(done.stdout)
        except subprocess.TimeoutExpired:
            verdict = advisories.Verdict()
        progress.note(f"pip-audit: {verdict}")
    return ["pip-audit"] if verdict.open else []


def check(_asked: argparse.Namespace) -> int:
    failed = failed_checks()
    print(f"\nfailed: {', '.join(failed)}" if failed else "\nall checks passed")
    return 1 if failed else 0


def _pytest(*arguments: str) -> list[str]:
    return [str(BIN / "python"), "-m", "pytest", "-p", "deploy.one_at_a_time", "-n", AT_ONCE, *arguments]


def test(asked: argparse.Namespace) -> int:
    """Checks, then PostgreSQL, then SQLite together with real guests: pytest's closing line comes last.

    Exit status 1 when anything failed on the way, whatever that line says.
    """
    more = list(asked.arguments)
    failed = failed_checks()
    if not asked.quick:
        print("\n== all tests that use the database, on PostgreSQL", flush=True)
        with postgres.server() as url:
            if _call(_pytest(*(more or WITH_DATABASE), "-m", "not real and not faults"), COMPUTECLOUD_DATABASE_URL=url):
                failed.append("tests on PostgreSQL")
    if failed:
        print(f"\n== failed so far: {', '.join(failed)}")
    root = os.geteuid() == 0
    which = ["-m", "not real"] if asked.quick or not root else []
    print(f"\n== all tests on SQLite{'' if which else ', and those with real guests'}", flush=True)
    last = _call(_pytest(*which, *more))
    return 1 if failed or last else 0
