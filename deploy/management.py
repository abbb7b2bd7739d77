"""Runs the product's management commands, with the cloud's settings."""

from __future__ import annotations

import hashlib
import sys

from computecloud.core.command import CommandFailed, run
from deploy.cloud import CHECKOUT, Cloud
from deploy.progress import Failure

PACKAGES = ("computecloud", "dashboard", "tasks", "instances", "scheduling", "hosts", "integrations", "operations")


def manage(cloud: Cloud, *arguments: str, data: bytes | None = None, timeout_s: float = 300) -> str:
    """Output of ``manage.py ARGUMENTS``. Raises Failure with the end of what it wrote."""
    environment = {
        "COMPUTECLOUD_CONFIG": str(cloud.config_file),
        "PYTHONPATH": str(CHECKOUT),
        "COMPUTECLOUD_LOG_LEVEL": "WARNING",
    }
    try:
        return run(
            [sys.executable, str(CHECKOUT / "manage.py"), *arguments],
            data=data, timeout_s=timeout_s, cwd=CHECKOUT, environment=environment,
        ).decode()  # fmt: skip
    except CommandFailed as problem:
        raise Failure(f"manage.py {' '.join(arguments)} failed:\n{problem.output.strip()}") from problem


def fingerprint(*patterns: str) -> str:
    """Changes whenever a file of the checkout that matches a pattern does, by name, size or time of change."""
    stamps: list[str] = []
    for pattern in patterns:
        for path in CHECKOUT.glob(pattern):
            if path.is_file() and "__pycache__" not in path.parts:
                seen = path.stat()
                stamps.append(f"{path.relative_to(CHECKOUT)}:{seen.st_size}:{seen.st_mtime_ns}")
    return hashlib.sha256("\n".join([sys.executable, *sorted(stamps)]).encode()).hexdigest()


def data_fingerprint() -> str:
    """Of what shapes the database and the static files."""
    return fingerprint("*/migrations/*.py", "*/*/migrations/*.py", "*/static/**/*", "requirements.txt")


def code_fingerprint() -> str:
    """Of what a running process has loaded: a change means that it is to be restarted."""
    code = [f"{package}/**/*{ending}" for package in PACKAGES for ending in (".py", ".html", ".json")]
    return fingerprint(*code, "deploy/serve.py", "deploy/task_process.py", "requirements.txt")


def compile_code() -> None:
    """Bytecode of what changed, with docstrings and without, so that no long-lived process has to hold a compiler."""
    folders = [str(CHECKOUT / package) for package in (*PACKAGES, "deploy")]
    run(
        [sys.executable, "-m", "compileall", "-q", "-o", "0", "-o", "2", *folders],
        timeout_s=120,
        accept=frozenset({0, 1}),
    )
